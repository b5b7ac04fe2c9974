import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Profile } from '../../../../src/supervisor/browser/profile.js';
import { eventually } from '../../../support/eventually.js';
import { assertNothingLeft, scratchDir } from '../../../support/leftovers.js';
import { isAlive, processFacts } from '../../../support/processes.js';

const account = { wid: '4915112345678@c.us', pushname: 'Ada', platform: 'android' };
const fresh = { session: 'default', epoch: 7, isWanted: true, isLinked: false, account: null, record: null };
const children: ChildProcess[] = [];

after(async () => {
  for (const child of children) child.kill('SIGKILL');
  await assertNothingLeft();
});

/** A process that looks like a browser on this profile and leads its own group. */
async function holder(profileDir: string): Promise<number> {
  const wait = 'setInterval(() => {}, 60_000)';
  const child = spawn(process.execPath, ['-e', wait, '--', `--user-data-dir=${profileDir}`], {
    detached: true,
    stdio: 'ignore',
  });
  children.push(child);
  await once(child, 'spawn');
  const pid = child.pid as number;
  await eventually(() => processFacts(pid)?.commandLine.includes(`--user-data-dir=${profileDir}`));
  return pid;
}

/** Creates the lock files that Chromium leaves. */
function lock(dir: string, host: string, pid: number): void {
  mkdirSync(dir, { recursive: true });
  symlinkSync(`${host}-${pid}`, join(dir, 'SingletonLock'));
  symlinkSync('12345', join(dir, 'SingletonCookie'));
  symlinkSync('/tmp/gone/SingletonSocket', join(dir, 'SingletonSocket'));
}

function hasLock(dir: string): boolean {
  return ['SingletonLock', 'SingletonCookie', 'SingletonSocket'].some(
    (name) => lstatSync(join(dir, name), { throwIfNoEntry: false }) !== undefined,
  );
}

test('a new profile is private and not linked', async () => {
  const profile = new Profile(scratchDir(), 'default');
  const { profileId, ...note } = await profile.prepare(0, 7);
  assert.deepEqual(note, { ...fresh, wipedEpoch: 0 });
  assert.match(profileId, /^[\da-f-]{36}$/);
  assert.equal(statSync(profile.dir).mode & 0o777, 0o700);
});

test('the next supervisor on the machine has the note of the profile', async () => {
  const authDir = scratchDir();
  const first = new Profile(authDir, 'default');
  const note = await first.prepare(0, 7);
  await first.writeNote({ ...note, isLinked: true, account });
  writeFileSync(join(first.dir, 'login'), 'kept');

  const second = new Profile(authDir, 'default');
  assert.deepEqual(await second.prepare(0, 7), { ...note, isLinked: true, account });
  assert.equal(readFileSync(join(second.dir, 'login'), 'utf8'), 'kept');
  assert.equal(statSync(`${second.dir}.json`).mode & 0o777, 0o600);
});

test('a profile from before a wipe is renewed, whatever its note says', async () => {
  const authDir = scratchDir();
  const profile = new Profile(authDir, 'default');
  const note = await profile.prepare(100, 7);
  await profile.writeNote({ ...note, isLinked: true, account });
  writeFileSync(join(profile.dir, 'login'), 'void');

  const known = await new Profile(authDir, 'default').prepare(100, 7);
  assert.equal(known.isLinked, true, 'a wipe from before the profile does not count');
  const renewed = await new Profile(authDir, 'default').prepare(101, 7);
  assert.notEqual(renewed.profileId, note.profileId);
  const { profileId: _, ...facts } = renewed;
  assert.deepEqual(facts, { ...fresh, wipedEpoch: 101 });
  assert.equal(existsSync(join(profile.dir, 'login')), false);
});

test('a Redis that has lost the mark of a wipe does not renew a profile', async () => {
  const authDir = scratchDir();
  const profile = new Profile(authDir, 'default');
  const note = await profile.prepare(100, 7);
  await profile.writeNote({ ...note, isLinked: true, account });
  assert.deepEqual(await new Profile(authDir, 'default').prepare(0, 7), { ...note, isLinked: true, account });
});

test('an unreadable note loses the account, not the profile', async () => {
  const authDir = scratchDir();
  const profile = new Profile(authDir, 'default');
  await profile.prepare(0, 7);
  writeFileSync(join(profile.dir, 'login'), 'kept');
  writeFileSync(`${profile.dir}.json`, '{"session":');
  assert.equal((await new Profile(authDir, 'default').prepare(0, 7)).isLinked, false);
  assert.ok(existsSync(join(profile.dir, 'login')));
});

test('remove() deletes profile and note of this session only', async () => {
  const authDir = scratchDir();
  const [profile, other] = [new Profile(authDir, 'a'), new Profile(authDir, 'a-b')];
  await profile.prepare(0, 7);
  await other.prepare(0, 7);
  await profile.remove();
  assert.deepEqual([existsSync(profile.dir), existsSync(`${profile.dir}.json`)], [false, false]);
  assert.deepEqual([existsSync(other.dir), existsSync(`${other.dir}.json`)], [true, true]);
  await profile.remove();
});

test('the lock of a browser on another host is removed', async () => {
  const profile = new Profile(scratchDir(), 'default');
  lock(profile.dir, 'an-earlier-container', process.pid);
  await profile.prepare(0, 7);
  assert.equal(hasLock(profile.dir), false);
});

test('a browser that still runs on this profile is ended, and no other', async () => {
  const authDir = scratchDir();
  const [profile, other] = [new Profile(authDir, 'a'), new Profile(authDir, 'b')];
  const [leftover, stranger] = await Promise.all([holder(profile.dir), holder(other.dir)]);
  lock(profile.dir, hostname(), leftover);
  await profile.prepare(0, 7);
  assert.equal(hasLock(profile.dir), false);
  await eventually(() => !isAlive(leftover));
  assert.equal(isAlive(stranger), true);
});

test('a lock whose pid now belongs to another program does not end that program', async () => {
  const authDir = scratchDir();
  const profile = new Profile(authDir, 'a');
  const stranger = await holder(new Profile(authDir, 'b').dir);
  lock(profile.dir, hostname(), stranger);
  await profile.unlock();
  assert.equal(hasLock(profile.dir), false);
  assert.equal(isAlive(stranger), true);
});

test('a late note does not replace that of a newer run, nor does the note of a lost run', async () => {
  const authDir = scratchDir();
  const earlier = new Profile(authDir, 'default');
  const note = await earlier.prepare(0, 7);
  const newer = await new Profile(authDir, 'default').prepare(0, 8);
  await earlier.amendNote({ ...note, isWanted: false }, () => true);
  assert.deepEqual(await earlier.readNote(), newer);
  await earlier.amendNote({ ...newer, isWanted: false }, () => false);
  assert.deepEqual(await earlier.readNote(), newer);
  await earlier.amendNote({ ...newer, epoch: 9, account }, () => true);
  assert.deepEqual(await earlier.readNote(), { ...newer, epoch: 9, account });
  assert.deepEqual(readdirSync(authDir).sort(), ['session-default', 'session-default.json']);
});

test('a late run does not prepare a profile that a newer run uses', async () => {
  const authDir = scratchDir();
  const newer = await new Profile(authDir, 'default').prepare(0, 8);
  const late = new Profile(authDir, 'default');
  await assert.rejects(late.prepare(9, 7), /a newer run uses it/);
  assert.deepEqual(await late.readNote(), newer);
});
