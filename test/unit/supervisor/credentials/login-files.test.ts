import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { copyLogin, fingerprintOf } from '../../../../src/supervisor/credentials/login-files.js';
import { assertNothingLeft, scratchDir } from '../../../support/leftovers.js';

after(assertNothingLeft);

const database = 'Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb';
const never = new AbortController().signal;

function makeProfile(): string {
  const dir = scratchDir();
  write(dir, `${database}/000005.ldb`, 'table');
  write(dir, `${database}/000007.log`, 'log');
  write(dir, `${database}/LOG`, 'for people');
  write(dir, `${database}/LOCK`, '');
  write(dir, 'Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.blob/1/00/3', 'blob');
  write(dir, 'Default/Local Storage/leveldb/000003.log', 'local');
  write(dir, 'Default/Cookies', 'no part of the login');
  return dir;
}

function write(dir: string, file: string, text: string): void {
  mkdirSync(join(dir, dirname(file)), { recursive: true });
  writeFileSync(join(dir, file), text);
}

test('a copy has every file of the login, and no other', async () => {
  const [profile, copy] = [makeProfile(), scratchDir()];
  await copyLogin(profile, copy, never);
  assert.equal(readFileSync(join(copy, database, '000005.ldb'), 'utf8'), 'table');
  assert.equal(readFileSync(join(copy, database, '000007.log'), 'utf8'), 'log');
  assert.equal(readFileSync(join(copy, 'Default/Local Storage/leveldb/000003.log'), 'utf8'), 'local');
  assert.ok(existsSync(join(copy, 'Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.blob/1/00/3')));
  for (const file of [`${database}/LOG`, `${database}/LOCK`, 'Default/Cookies']) {
    assert.equal(existsSync(join(copy, file)), false, file);
  }
});

test('a copy does not change with the profile: tables are linked, other files copied', async () => {
  const [profile, copy] = [makeProfile(), scratchDir()];
  await copyLogin(profile, copy, never);
  appendFileSync(join(profile, database, '000007.log'), ' more');
  assert.equal(readFileSync(join(copy, database, '000007.log'), 'utf8'), 'log');
  const inode = (dir: string, name: string) => statSync(join(dir, database, name)).ino;
  assert.equal(inode(profile, '000005.ldb'), inode(copy, '000005.ldb'));
  assert.notEqual(inode(profile, '000007.log'), inode(copy, '000007.log'));
  // LevelDB removes a table after it has merged it.
  rmSync(join(profile, database, '000005.ldb'));
  assert.equal(readFileSync(join(copy, database, '000005.ldb'), 'utf8'), 'table');
});

test('an aborted copy rejects', async () => {
  await assert.rejects(copyLogin(makeProfile(), scratchDir(), AbortSignal.abort(new Error('late'))), /late/);
});

test('the fingerprint changes with each file of the login, and with no other', async () => {
  const profile = makeProfile();
  const first = await fingerprintOf(profile);
  assert.match(first ?? '', /^[\da-f]{64}$/);
  appendFileSync(join(profile, 'Default/Cookies'), 'more');
  appendFileSync(join(profile, database, 'LOG'), 'more');
  assert.equal(await fingerprintOf(profile), first);

  appendFileSync(join(profile, database, '000007.log'), 'more');
  const grown = await fingerprintOf(profile);
  assert.notEqual(grown, first);
  utimesSync(join(profile, 'Default/Local Storage/leveldb/000003.log'), 1, 1);
  const touched = await fingerprintOf(profile);
  assert.notEqual(touched, grown);
  rmSync(join(profile, database, '000005.ldb'));
  assert.notEqual(await fingerprintOf(profile), touched);
});

test('a profile without a login has no fingerprint, and an unreadable one throws', async () => {
  assert.equal(await fingerprintOf(scratchDir()), null);
  const broken = scratchDir();
  writeFileSync(join(broken, 'Default'), 'a file where a folder should be');
  await assert.rejects(fingerprintOf(broken), /ENOTDIR/);
});
