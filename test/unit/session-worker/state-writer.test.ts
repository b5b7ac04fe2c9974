import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { sessionKeys } from '../../../src/contract/keys.js';
import { type Fence, formatFence, type RunFacts, type SessionState } from '../../../src/contract/status.js';
import { parseStatus } from '../../../src/platform/store/state-store.js';
import { StateWriter } from '../../../src/session-worker/state-writer.js';
import { eventually } from '../../support/eventually.js';
import { assertNothingLeft } from '../../support/leftovers.js';
import { onBound } from '../../support/on-bound.js';
import { startRedis } from '../../support/redis-server.js';

const server = await startRedis();
const redis = new Redis(server.url, { maxRetriesPerRequest: null });
const direct = new Redis(server.url);
const k = sessionKeys('default');
const log = pino({ level: 'silent' });
const fence: Fence = { epoch: 1_000, incarnation: 1 };

after(async () => {
  redis.disconnect();
  direct.disconnect();
  await server.stop();
  await assertNothingLeft();
});

beforeEach(async () => {
  await direct.flushall();
  await direct.set(k.fence, formatFence(fence));
});

const noCodes = { qr: null, pairingCode: null, passkey: null };

function open() {
  const facts = { auth_dir: '/auth', chrome_executable: '/chromium', headless: true, session: 'default' };
  const run: RunFacts = { ...facts, ...fence, restarts: 0, supervisor: 'a' };
  const refused: Fence[] = [];
  const writer = new StateWriter(redis, run, log, (under) => refused.push(under), onBound);
  const write = (state: SessionState) => writer.write({ state, lastError: null, account: null }, noCodes);
  return { writer, write, refused };
}

async function stored() {
  return parseStatus(await direct.get(k.state));
}

/** How many scripts Redis has run since the last CONFIG RESETSTAT. */
async function scriptsRun(): Promise<number> {
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await direct.info('commandstats'))?.[1] ?? 0);
}

test('a state is written with the fence of its incarnation', async () => {
  const { write } = open();
  write('ready');
  await eventually(async () => (await stored())?.state === 'ready');
  const status = await stored();
  assert.deepEqual([status?.epoch, status?.incarnation], [fence.epoch, fence.incarnation]);
  assert.equal(await direct.get(k.fence), formatFence(fence), 'a thread does not move the fence');
});

test('the QR is written with its state', async () => {
  const { writer } = open();
  const png = Buffer.from([1, 2, 255]);
  const qr = { number: 1, issued_at: new Date().toISOString(), expires_at: null };
  const image = { png, base64: png.toString('base64') };
  writer.write(
    { state: 'qr', lastError: null, account: null, qr },
    { qr: image, pairingCode: null, passkey: null },
  );
  await eventually(async () => (await stored())?.has_qr === true);
  assert.deepEqual(await direct.getBuffer(k.qrPng), png);
});

test('a pairing code is written with its state, for as long as it is valid', async () => {
  const { writer, write } = open();
  const expires_at = new Date(Date.now() + 60_000).toISOString();
  const pairingCode = { code: 'ABCD1234', phone_number: '15551234567', expires_at };
  writer.write({ state: 'qr', lastError: null, account: null }, { qr: null, pairingCode, passkey: null });
  await eventually(async () => (await direct.exists(k.pairingCode)) === 1);
  assert.deepEqual(JSON.parse((await direct.get(k.pairingCode)) ?? ''), pairingCode);
  const ttlMs = await direct.pttl(k.pairingCode);
  assert.ok(ttlMs > 30_000 && ttlMs <= 60_000, `${ttlMs}`);
  write('authenticated');
  await eventually(async () => (await stored())?.state === 'authenticated');
  assert.equal(await direct.exists(k.pairingCode), 0);
});

test('while Redis is down only the newest state waits', async () => {
  const { write } = open();
  write('starting');
  await eventually(async () => (await stored())?.state === 'starting');
  await direct.config('RESETSTAT');
  server.signal('SIGSTOP');
  for (const state of [
    'qr',
    'authenticated',
    'disconnected',
    'starting',
    'authenticated',
    'ready',
  ] as const) {
    write(state);
  }
  server.signal('SIGCONT');
  await eventually(async () => (await stored())?.state === 'ready');
  assert.equal(await scriptsRun(), 2, 'the write in progress, and the newest');
});

test('a refused write is reported once, and nothing more is written with that fence', async () => {
  const { write, refused } = open();
  await direct.set(k.fence, formatFence({ epoch: 1_000, incarnation: 2 }));
  write('ready');
  await eventually(() => refused.length === 1);
  assert.deepEqual(refused, [fence]);
  assert.equal(await stored(), null);
});

test('the state is written again with a new fence', async () => {
  const { writer, write, refused } = open();
  const next: Fence = { epoch: 2_000, incarnation: 0 };
  await direct.set(k.fence, formatFence(next));
  write('ready');
  await eventually(() => refused.length === 1);
  writer.refence(next);
  await eventually(async () => (await stored())?.state === 'ready');
  assert.equal((await stored())?.epoch, next.epoch);
});

test('the state is written as soon as Redis is no longer out of memory', async () => {
  const { write } = open();
  await direct.config('SET', 'maxmemory', '1');
  await direct.config('RESETSTAT');
  write('ready');
  await eventually(async () => /errorstat_OOM:count=[1-9]/.test(await direct.info('errorstats')));
  assert.equal(await stored(), null);
  await direct.config('SET', 'maxmemory', '0');
  await eventually(async () => (await stored())?.state === 'ready');
});

test('nothing is written after a stop', async () => {
  const { writer, write } = open();
  await writer.stop();
  write('ready');
  await writer.stop();
  await redis.ping();
  assert.equal(await stored(), null);
});
