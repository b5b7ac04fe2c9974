import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Redis } from 'ioredis';
import { messageOf } from '../../src/contract/errors.js';
import { sessionKeys } from '../../src/contract/keys.js';
import { SnapshotStore } from '../../src/supervisor/credentials/snapshot-store.js';
import { type TakenSnapshot, takeSnapshot } from '../../src/supervisor/credentials/take-snapshot.js';
import { makeCredentialsKey } from '../support/credentials.js';
import { eventually } from '../support/eventually.js';
import { type LiveLogin, openLogin } from '../support/live-login.js';
import { lasting } from '../support/matrix/fault-row.js';
import { onBound } from '../support/on-bound.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { startWhatsAppWeb, type WhatsAppWeb } from '../whatsapp-web/index.js';

/**
 * Takes snapshots, at random moments, of a browser that writes to IndexedDB without pause. Each snapshot is restored into
 * an empty directory. It must log in without a scan and hold every transaction that the page had seen complete before.
 * HOLDLINE_FAULTS=all takes 100.
 */
const rounds = process.env.HOLDLINE_FAULTS === 'all' ? 100 : 3;
const session = 'default';
const never = new AbortController().signal;
const key = makeCredentialsKey();
let whatsApp: WhatsAppWeb;
let server: RedisServer;
let redis: Redis;
let snapshots: SnapshotStore;
let dir: string;
let writer: LiveLogin;

before(async () => {
  [whatsApp, server] = await Promise.all([startWhatsAppWeb(), startRedis()]);
  redis = new Redis(server.url);
  snapshots = new SnapshotStore({ redis, session, keys: [key], onBound });
  await redis.set(sessionKeys(session).fence, '1.0');
  dir = await mkdtemp(join(tmpdir(), 'holdline-snapshots-'));
  writer = await openLogin(whatsApp, join(dir, 'session-writer'));
  assert.equal(await writer.outcome, 'qr');
  await whatsApp.phone.scanCurrent();
  await eventually(async () => (await writer.client.report())?.hasSynced, { timeoutMs: 30_000 });
  // Chromium writes the part of the login in localStorage some seconds late; the supervisor keeps that part itself.
  const folder = join(dir, 'session-writer', 'Default', 'Local Storage', 'leveldb');
  await eventually(() => isWritten(folder, 'StandInLogin'), {
    timeoutMs: 60_000,
    message: 'the login is on the disk',
  });
  await writer.run(writeWithoutPause, Date.now() * 100);
});
after(async () => {
  await writer.close(0);
  redis.disconnect();
  await Promise.all([whatsApp.close(), server.stop()]);
  await rm(dir, { recursive: true, force: true, maxRetries: 10 });
});

test(`${rounds} snapshots of a busy browser, restored into empty directories, log in without a QR`, async (t) => {
  const taken: (TakenSnapshot & { tookMs: number; restoredMs: number })[] = [];
  for (let round = 1; round <= rounds; round++) {
    await lasting(Math.random() * 500);
    const acknowledged = await newestAcknowledged((failure) => t.diagnostic(`round ${round}: ${failure}`));
    const takenAt = performance.now();
    const snapshot = await takeSnapshot(writer.source, snapshots, 1, 30_000, never);
    const tookMs = performance.now() - takenAt;

    const profile = join(dir, `session-restored-${round}`);
    const restoredMs = await restoreTo(profile);
    const newest = await newestRowOn(profile, (failure) => t.diagnostic(`round ${round}: ${failure}`));
    assert.ok(newest >= acknowledged, `round ${round}: row ${newest} of ${acknowledged} acknowledged`);
    await rm(profile, { recursive: true, force: true, maxRetries: 10 });
    taken.push({ ...snapshot, tookMs, restoredMs });
  }
  t.diagnostic(`frozen for ${spread(taken.map(({ frozenMs }) => frozenMs))} ms`);
  t.diagnostic(`taken in ${spread(taken.map(({ tookMs }) => tookMs))} ms`);
  t.diagnostic(`restored in ${spread(taken.map(({ restoredMs }) => restoredMs))} ms`);
  t.diagnostic(`encrypted ${spread(taken.map(({ manifest }) => manifest.bytes / 1e6))} MB`);
});

test('control: an empty directory asks for a scan', async () => {
  const empty = await openLogin(whatsApp, join(dir, 'session-empty'));
  try {
    assert.equal(await empty.outcome, 'qr');
  } finally {
    await empty.close(0);
  }
});

async function isWritten(folder: string, text: string): Promise<boolean> {
  const files = (await readdir(folder)).map((name) => readFile(join(folder, name), 'latin1'));
  return (await Promise.all(files)).some((content) => content.includes(text));
}

/** The writer's newest row. A writer whose page broke (a busy machine kills renderers) is restarted on its profile. */
async function newestAcknowledged(onFailure: (message: string) => void): Promise<number> {
  try {
    return await writer.run<number>('() => window.acknowledged', null);
  } catch (error) {
    onFailure(`the writer broke: ${messageOf(error)}`);
    await writer.close(0);
    writer = await openLogin(whatsApp, join(dir, 'session-writer'));
    assert.equal(await writer.outcome, 'ready');
    await writer.run(writeWithoutPause, Date.now() * 100);
    return 0;
  }
}

/** Logs in on a restored profile and reads its newest row. Retries a failed start, as a supervisor would. */
async function newestRowOn(profile: string, onFailure: (message: string) => void): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const restored = await openLogin(whatsApp, profile);
    try {
      assert.equal(await restored.outcome, 'ready');
      return await restored.run<number>(newestRow, null);
    } catch (error) {
      if (error instanceof assert.AssertionError || attempt === 3) throw error;
      onFailure(`start ${attempt} failed: ${messageOf(error)}`);
    } finally {
      await restored.close(0);
    }
  }
}

async function restoreTo(profile: string): Promise<number> {
  await mkdir(profile);
  const [newest] = await snapshots.find(0);
  assert.ok(newest?.type === 'readable');
  const since = performance.now();
  await snapshots.fetch(newest, profile, () => true, never);
  return performance.now() - since;
}

/** In the page: writes transactions of 80 kB without pause, always to the same 60 rows, and localStorage. */
const writeWithoutPause = `async (first) => {
  const database = await new Promise((resolve, reject) => {
    const opening = indexedDB.open('pressure', 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore('rows');
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
  window.acknowledged = 0;
  const bytes = new Uint8Array(80_000);
  for (let at = 0; at < bytes.length; at += 40_000) crypto.getRandomValues(bytes.subarray(at, at + 40_000));
  (async () => {
    for (let n = first; ; n++) {
      bytes[n % bytes.length] ^= n;
      const transaction = database.transaction('rows', 'readwrite');
      transaction.objectStore('rows').put({ n, bytes }, n % 60);
      await new Promise((resolve) => { transaction.oncomplete = resolve; });
      window.acknowledged = n;
      localStorage.setItem('pressure', String(n));
    }
  })();
}`;

const newestRow = `() => new Promise((resolve, reject) => {
  const opening = indexedDB.open('pressure', 1);
  opening.onerror = () => reject(opening.error);
  opening.onsuccess = () => {
    const reading = opening.result.transaction('rows').objectStore('rows').getAll();
    reading.onerror = () => reject(reading.error);
    reading.onsuccess = () => resolve(Math.max(0, ...reading.result.map(({ n }) => n)));
  };
})`;

function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1);
  return `${at(0)} / ${at(0.5)} / ${at(1)} (least, median, most)`;
}
