import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { typeOfKey } from '../../../src/contract/key-types.js';
import {
  answerKey,
  answersKey,
  apiKeysKey,
  attemptKey,
  commandRoomKey,
  eventIndexKey,
  guestLoginKey,
  intentChannel,
  limitsPrefix,
  loginIndexKey,
  loginKey,
  passkeyAnswerKey,
  qrLinkKey,
  quarantineIndexKey,
  quarantineKey,
  registerCheckedKey,
  registerKey,
  registerNamesKey,
  sessionKeys,
  stagedSnapshotKey,
  supervisorFactsKey,
  supervisorPlacesKey,
  supervisorRoomKey,
  supervisorsKey,
  supervisorWakeKey,
  usedQrLinkKey,
} from '../../../src/contract/keys.js';

/** docs/architecture.md lists the folders of src and the keys in Redis: none is missing, and none is made up. */

const root = resolve(import.meta.dirname, '../../../..');
const doc = readFileSync(join(root, 'docs/architecture.md'), 'utf8');

test('the table of folders has the folders of src', () => {
  const entries = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true });
  const folders = entries
    .filter((entry) => entry.isDirectory())
    .map(({ parentPath, name }) => relative(join(root, 'src'), join(parentPath, name)));
  const listed = rowsOf('The folders of src').flatMap(([names = '']) => codesIn(names));
  assert.deepEqual(listed.sort(), folders.sort());
});

test('the table of keys has every key, with its type', () => {
  const { lock, job, stalled, ...ofSession } = sessionKeys('<session>');
  const keys = [
    ...Object.values(ofSession),
    ...[
      supervisorsKey,
      supervisorRoomKey,
      supervisorFactsKey,
      supervisorPlacesKey,
      supervisorWakeKey('<id>'),
      apiKeysKey,
      intentChannel,
    ],
    ...[registerKey, registerNamesKey, registerCheckedKey, quarantineIndexKey, eventIndexKey],
    ...[loginKey('<digest>'), qrLinkKey('<digest>'), usedQrLinkKey('<digest>'), guestLoginKey('<digest>')],
    ...[loginIndexKey('<list>'), `${limitsPrefix}:<limiter>:<who>`, quarantineKey('{wa}:<rest of a key>')],
    ...[attemptKey('<session>', '<id>'), answerKey('<session>', '<id>'), answersKey('<session>')],
    passkeyAnswerKey('<session>', '<token>'),
    ...[commandRoomKey('<session>', '<queue>' as 'sends'), stagedSnapshotKey('<session>', '<id>')],
  ];
  const rows = rowsOf('Redis keys').map(([key = '', type]) => ({ key: codesIn(key)[0] ?? '', type }));
  const listed = rows.filter(({ type }) => type !== 'BullMQ');
  assert.deepEqual(listed.map(({ key }) => key).sort(), keys.sort());
  for (const { key, type } of listed) {
    const known = typeOfKey(key)?.replace('zset', 'sorted set');
    if (known !== undefined) assert.equal(type, known, key);
  }
  const queues = rows.filter(({ type }) => type === 'BullMQ').map(({ key }) => key);
  assert.deepEqual(queues, ['{wa}:sessions:…', '{wa}:reads-<session>:…', '{wa}:sends-<session>:…']);
  for (const key of [lock, job, stalled]) assert.match(key, /^\{wa\}:sessions:/);
});

/** The cells of the first table below a heading, without its head. */
function rowsOf(heading: string): string[][] {
  const section = doc.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

function codesIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}
