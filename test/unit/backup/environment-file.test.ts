import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { environmentFileOf } from '../../../src/backup/environment-file.js';
import { assertNothingLeft, scratchDir } from '../../support/leftovers.js';

after(assertNothingLeft);

/** What scripts/env-file.sh reads from this content. Throws if it refuses a line. */
function readByScript(content: string, name: string): string {
  const dir = scratchDir();
  writeFileSync(join(dir, '.env'), content);
  const program = `say() { printf '%s\\n' "$*" >&2; }; source "$1"; read_env_file; printf %s "$${name}"`;
  const args = ['-c', program, 'bash', resolve('scripts/env-file.sh')];
  return execFileSync('bash', args, { cwd: dir, encoding: 'utf8', env: { PATH: process.env.PATH ?? '' } });
}

test('a value that is written is read back unchanged', () => {
  const name = 'WHATSAPP_DEVICE_NAME';
  for (const value of ['80', 'My gateway', "Ann's gateway", '{"a":"$HOME \\\\ `b`"}', '# no comment', '"']) {
    assert.equal(readByScript(environmentFileOf({ [name]: value }), name), value);
  }
});

test('a value that no line can hold is left out, with a comment that says why and not what it is', () => {
  const settings = {
    WHATSAPP_API_KEYS: `secret ' and "`,
    WHATSAPP_DEVICE_NAME: 'secret\nline',
    WHATSAPP_TIMING: "secret's $HOME",
    WHATSAPP_MCP_PORT: '80',
  };
  const content = environmentFileOf(settings);
  assert.equal(readByScript(content, 'WHATSAPP_MCP_PORT'), '80');
  assert.doesNotMatch(content, /secret/);
  assert.match(
    content,
    /^# WHATSAPP_API_KEYS is left out: its value has a ' together with one of " \$ ` \\,/m,
  );
  assert.match(content, /^# WHATSAPP_DEVICE_NAME is left out: its value has a line break,/m);
  assert.match(content, /^# WHATSAPP_TIMING is left out:/m);
  assert.equal(content.trim().split('\n').length, 4);
});
