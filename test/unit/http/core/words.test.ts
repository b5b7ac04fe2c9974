import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

const core = resolve(import.meta.dirname, '../../../../../src/http/core');

/** Allowed: errors name the environment variable to change, which has the prefix of the product. */
const variables = /\bWHATSAPP_[A-Z_]+\b/g;
const foreignWords = /whatsapp|\bqr|chat|session|supervisor|\bmcp|\bphone/i;

test('http/core does not mention WhatsApp or sessions', () => {
  const files = readdirSync(core, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  assert.ok(files.length > 10);
  const found = files.flatMap((name) =>
    readFileSync(join(core, name), 'utf8')
      .split('\n')
      .filter((line) => foreignWords.test(line.replaceAll(variables, '')))
      .map((line) => `${name}: ${line.trim()}`),
  );
  assert.deepEqual(found, []);
});
