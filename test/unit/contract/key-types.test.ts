import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sessionOfKey, typeOfKey } from '../../../src/contract/key-types.js';
import * as keys from '../../../src/contract/keys.js';

const notKeys = ['quarantineKey', 'queueKey', 'keyPrefix', 'intentChannel', 'limitsPrefix'];

/** The keys of every other export of keys.ts, called with names. A new export is included automatically. */
const made = Object.entries(keys).flatMap(([name, make]): [string, string][] => {
  if (notKeys.includes(name)) return [];
  if (typeof make === 'string') return [[name, make]];
  const key = (make as (...words: string[]) => string | string[] | keys.SessionKeys)('default', 'sends');
  return typeof key === 'string' ? [[name, key]] : Object.entries(key);
});

test('every key of keys.ts has a type', () => {
  assert.ok(made.length > 30);
  assert.deepEqual(
    made.filter(([, key]) => typeOfKey(key) === null),
    [],
  );
});

test('a foreign key has no type', () => {
  for (const key of ['', 'state', '{wa}:', '{wa}:x', '{wb}:s:default:state', '{wa}:s:default:what']) {
    assert.equal(typeOfKey(key), null, key);
  }
});

test('keys of a session belong to it, whatever its name', () => {
  for (const session of ['default', 'wait', 's', 'aside', 'a-lock']) {
    const own = Object.values(keys.sessionKeys(session)).filter((key) => !key.endsWith(':stalled'));
    assert.deepEqual(new Set(own.map(sessionOfKey)), new Set([session]));
    assert.equal(typeOfKey(keys.sessionKeys(session).job), 'hash');
    assert.equal(typeOfKey(keys.sessionKeys(session).lock), 'string');
    assert.equal(sessionOfKey(keys.sendJobKey(session, 'm-1')), session);
    assert.equal(typeOfKey(keys.readJobKey(session, 'r-1')), 'hash');
  }
  for (const key of [
    keys.supervisorsKey,
    keys.quarantineIndexKey,
    keys.loginKey('x'),
    '{wa}:sessions:wait',
  ]) {
    assert.equal(sessionOfKey(key), null, key);
  }
});
