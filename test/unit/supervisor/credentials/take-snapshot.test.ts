import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pause } from '../../../../src/platform/deadline.js';
import type { SnapshotStore } from '../../../../src/supervisor/credentials/snapshot-store.js';
import { type LoginSource, takeSnapshot } from '../../../../src/supervisor/credentials/take-snapshot.js';

/** The error of a copy that was not made in time. */

const root = mkdtempSync(join(tmpdir(), 'holdline-snapshot-'));
const profileDir = join(root, 'session-default');
mkdirSync(join(profileDir, 'Default/Local Storage/leveldb'), { recursive: true });
writeFileSync(join(profileDir, 'Default/Local Storage/leveldb/000003.log'), 'login');

after(() => rmSync(root, { recursive: true }));

const limitMs = 400;
const never = new AbortController().signal;
const snapshots = { store: () => assert.fail('nothing may be stored') } as unknown as SnapshotStore;

const take = (whileFrozen: LoginSource['whileFrozen']) =>
  takeSnapshot(
    { profileDir, account: null, wipedEpoch: 0, storage: null, whileFrozen },
    snapshots,
    1,
    limitMs,
    never,
  );

test('a process that stood still says so and does not blame the disk', async () => {
  const taking = take((work) => {
    const copied = work();
    // Like a blocked event loop: no timer and no I/O runs.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, limitMs * 2);
    return copied;
  });
  await assert.rejects(taking, {
    message:
      /^the event loop was blocked, or the process was frozen, for 0\.\d s of the 0\.4 s in which the login is copied$/,
  });
  assert.deepEqual(readdirSync(root), ['session-default']);
});

test('control: a process that ran blames the disk', async () => {
  const taking = take(async (work) => {
    await pause(limitMs + 1);
    return work();
  });
  await assert.rejects(taking, { message: 'the disk took longer than 0.4 s to copy the login' });
});

test('a login whose files are gone is an error, and nothing takes the place of the older snapshots', async () => {
  rmSync(join(profileDir, 'Default'), { recursive: true });
  await assert.rejects(
    take((work) => work()),
    { message: `the files of the login are gone from ${profileDir}` },
  );
  rmSync(profileDir, { recursive: true });
  await assert.rejects(
    take((work) => work()),
    { message: `the files of the login are gone from ${profileDir}` },
  );
  assert.deepEqual(readdirSync(root), []);
});
