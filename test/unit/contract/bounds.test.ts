import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { boundTable } from '../../../src/contract/bounds.js';
import { httpStatusOf } from '../../../src/contract/errors.js';
import { redisMaxMemoryBytes, redisNeedBytes, redisNeeds } from '../../../src/contract/redis-needs.js';

/** The limit as the documentation writes it: `5,000`, `64 KiB`, `10 s`. */
function written(limit: number, unit: 'items' | 'bytes' | 'ms'): string {
  if (unit === 'ms') return `${limit / 1_000} s`;
  if (unit === 'items') return limit.toLocaleString('en-US');
  if (limit % 1_048_576 === 0) return `${limit / 1_048_576} MiB`;
  return limit % 1_024 === 0 ? `${limit / 1_024} KiB` : `${limit.toLocaleString('en-US')} bytes`;
}

it('docs/bounds.md has the same bounds as the table', () => {
  const docs = readFileSync('docs/bounds.md', 'utf8');
  const rows = docs.split('\n').flatMap((line) => {
    const [, name, ...cells] = line.split('|').map((cell) => cell.trim());
    return name?.startsWith('`') ? [[name.replaceAll('`', ''), ...cells.slice(0, 3)]] : [];
  });
  const wanted = Object.entries(boundTable).map(([name, { limit, unit, of, beyond }]) => [
    name,
    written(limit, unit),
    of,
    beyond.includes('_') ? `\`${beyond}\`` : beyond,
  ]);
  assert.deepEqual(rows, wanted);
});

it('every refusal code of a bound is a code of the API', () => {
  const codes = Object.values(boundTable).flatMap(({ beyond }) => (beyond.includes('_') ? [beyond] : []));
  assert.deepEqual(
    codes.filter((code) => !Object.hasOwn(httpStatusOf, code)),
    [],
  );
});

it('docs/bounds.md has the memory needs of Redis from the table', () => {
  const docs = readFileSync('docs/bounds.md', 'utf8').split('## What Redis needs')[1] ?? '';
  const rows = [...docs.matchAll(/^\| ([^|`]+?) +\| +(\d+) MB +\|/gm)].map(([, what, mb]) => [
    what,
    Number(mb),
  ]);
  const wanted = redisNeeds.map(({ what, bytes }) => [what, bytes / 1_048_576]);
  assert.deepEqual(rows, [...wanted, ['together', redisNeedBytes / 1_048_576]]);
  assert.match(docs, new RegExp(`maxmemory ${redisMaxMemoryBytes / 1_048_576}mb`));
});
