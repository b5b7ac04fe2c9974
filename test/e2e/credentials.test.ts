import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { CredentialsBackupInfo } from '../../src/contract/credentials.js';
import { logoutResults } from '../../src/contract/intent.js';
import type { Status } from '../../src/contract/status.js';
import { makeKeyText } from '../support/credentials.js';
import { kill } from '../support/processes.js';
import type { Product } from '../support/product.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { busyMachineTiming, Stage } from '../support/stage.js';

/** One login on changing hosts: Redis stays, the disks do not. Each test continues where the one before ended. */
let stage: Stage;
let redis: RedisServer;
let product: Product;
let key = makeKeyText();
/** Epoch of the newest run that was `ready`. */
let epoch = 0;

before(async () => {
  [stage, redis] = await Promise.all([Stage.open(), startRedis({ appendOnly: true })]);
});
after(async () => {
  await stage.close();
  await redis.stop();
});

const authDir = (host: string) => join(stage.dir, host);

/** A supervisor and its HTTP process, with a disk of their own. */
function startOn(host: string, keys: string | null = key): void {
  product = stage.start('all', {
    REDIS_URL: redis.url,
    WHATSAPP_AUTH_DIR: authDir(host),
    ...(keys === null ? {} : { WHATSAPP_CREDENTIALS_KEY: keys }),
    // The lock of a killed supervisor expires soon.
    WHATSAPP_TIMING: JSON.stringify({
      ...{ lockDurationMs: 6_500, renewIntervalMs: 700, giveUpMs: 3_500, guardTimeoutMs: 4_000 },
      ...{ socketTimeoutMs: 2_000, drainDelayMs: 1_000, stalledIntervalMs: 500 },
      // Long enough for a busy machine: these tests check what happens, not how fast.
      ...{ keepLoginMs: 60_000, pageCheckTimeoutMs: 30_000, backupFreezeMs: 20_000, backupStopMs: 40_000 },
      ...{ shutdownMs: 80_000, ...busyMachineTiming },
    }),
  });
}

async function readyWithoutQr(message: string): Promise<Status> {
  const seen = new Set<string>();
  const ready = await product.until(
    (s) => {
      seen.add(s.state);
      return s.ready && s.epoch > epoch;
    },
    message,
    90_000,
  );
  assert.ok(!seen.has('qr'), `states seen: ${[...seen]}`);
  epoch = ready.epoch;
  return ready;
}

async function backup(): Promise<CredentialsBackupInfo> {
  const health = (await (await product.get('/health')).json()) as {
    credentials_backup: CredentialsBackupInfo;
  };
  return health.credentials_backup;
}

async function loseDisk(host: string): Promise<void> {
  await rm(authDir(host), { recursive: true, force: true });
}

/** Every file of the login's databases on this host. */
async function databaseFiles(host: string): Promise<string[]> {
  const root = join(authDir(host), 'session-default', 'Default');
  const files = await readdir(root, { recursive: true });
  return files
    .filter((file) => /^(IndexedDB|Local Storage)\/.*\/(\d+\.(log|ldb)|MANIFEST-\d+|CURRENT)$/.test(file))
    .map((file) => join(root, file));
}

test('once ready, even the loss of the whole host needs no new scan', async () => {
  startOn('first');
  assert.equal((await product.post<Status>('/api/auth/start')).state, 'qr');
  assert.deepEqual(await backup(), { enabled: true, reason: null, taken_at: null, bytes: null });
  await stage.whatsApp.phone.scanCurrent();
  const ready = await product.until((s) => s.ready, 'ready after the scan');
  epoch = ready.epoch;
  for (const { pid } of await stage.processes()) kill(pid);
  await stage.nothingLeft();
  await loseDisk('first');

  startOn('second');
  await readyWithoutQr('ready on another host');
  assert.match(product.output, /login restored from its backup/);
  assert.match((await backup()).taken_at ?? '', /^\d{4}-/);
});

test('a stop stores the newest login in Redis, and a new disk is filled from it', async () => {
  const before = await backup();
  assert.equal(await product.end('SIGTERM'), 0);
  await loseDisk('second');
  startOn('second');
  await readyWithoutQr('ready on the new disk');
  assert.ok(((await backup()).taken_at ?? '') > (before.taken_at ?? ''), 'the stop took another snapshot');
});

test('a host with an older login restores the newer one from Redis', async () => {
  await product.end('SIGTERM');
  startOn('third');
  await readyWithoutQr('ready on a third host');
  await product.end('SIGTERM');
  startOn('second');
  await readyWithoutQr('ready on the second host again');
  assert.match(product.output, /login restored from its backup/);
});

test('a host with the newest login keeps it', async () => {
  await product.end('SIGTERM');
  startOn('second');
  await readyWithoutQr('ready on the same host again');
  assert.doesNotMatch(product.output, /login restored from its backup/);
});

test('corrupt databases, which Chromium empties silently, are restored from the backup', async () => {
  await product.end('SIGTERM');
  for (const file of await databaseFiles('second')) {
    await writeFile(file, Buffer.alloc((await readFile(file)).length, 'garbage'));
  }
  startOn('second');
  await readyWithoutQr('ready after the garbage');
  assert.match(product.output, /asks for a login although this profile was linked/);
  assert.match(product.output, /login restored from its backup/);
});

test('missing database files are restored from the backup', async () => {
  await product.end('SIGTERM');
  for (const file of await databaseFiles('second')) {
    if (!file.endsWith('.log')) await rm(file);
  }
  startOn('second');
  await readyWithoutQr('ready without those files');
});

test('with another key the run starts no empty login, overwrites nothing and says what to do', async () => {
  const stored = await backup();
  await product.end('SIGTERM');
  startOn('fourth', makeKeyText());
  const waiting = await product.until(
    (s) => s.state === 'disconnected' && s.last_error !== null && s.epoch > epoch,
    'the run says why it waits',
  );
  assert.match(
    waiting.last_error ?? '',
    /the login is only in the encrypted backup, which none of the keys .* decrypts: .*\(key id [\da-f]{16}\), or POST \/api\/logout/,
  );
  await product.until((s) => s.restarts > 1, 'the run tries again');
  const now = await backup();
  assert.equal(now.enabled, false);
  assert.match(now.reason ?? '', /encrypted with another key/);
  // The stop of the previous run took one more snapshot.
  assert.ok((now.taken_at ?? '') >= (stored.taken_at ?? ''));
  await product.end('SIGTERM');

  startOn('fourth', null);
  const saysWhy = /only in the encrypted backup, and this supervisor has no key/;
  // Until its run begins, the status is that of the previous run: its supervisor is gone.
  await product.until((s) => saysWhy.test(s.last_error ?? ''), 'the run says that it has no key');
});

test('with another key and a good login on disk the session runs, and only the backup is off', async () => {
  await product.end('SIGTERM');
  startOn('second', makeKeyText());
  await readyWithoutQr('ready with another key');
  const status = await backup();
  assert.equal(status.enabled, false);
  assert.match(status.reason ?? '', /encrypted with another key/);
});

test('a key rotation needs both keys, the new one first, until the backup is encrypted with the new one', async () => {
  await product.end('SIGTERM');
  const next = makeKeyText();
  startOn('fifth', `${next},${key}`);
  await readyWithoutQr('ready with both keys');
  const { taken_at: before } = await backup();
  await product.end('SIGTERM');
  await loseDisk('fifth');
  key = next;
  startOn('fifth');
  await readyWithoutQr('ready with the new key alone');
  assert.ok(((await backup()).taken_at ?? '') >= (before ?? ''));
});

test('a logout deletes the backup; without a key health reports none, and a lost disk needs a scan', async () => {
  assert.deepEqual(await product.post('/api/logout'), { ok: true, ...logoutResults.unlinked });
  assert.deepEqual([(await backup()).taken_at, (await backup()).bytes], [null, null]);
  await product.end('SIGTERM');
  startOn('fifth', null);
  assert.equal((await product.post<Status>('/api/auth/start')).state, 'qr');
  await stage.whatsApp.phone.scanCurrent();
  await product.until((s) => s.ready, 'ready after the second scan');
  const status = await backup();
  assert.equal(status.enabled, false);
  assert.match(status.reason ?? '', /no key is set: .*WHATSAPP_CREDENTIALS_KEY/);
  await product.end('SIGTERM');
  await loseDisk('fifth');
  startOn('fifth', null);
  await product.until((s) => s.has_qr, 'a QR');
});
