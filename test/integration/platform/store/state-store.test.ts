import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { Redis } from 'ioredis';
import { logoutResults } from '../../../../src/contract/intent.js';
import { quarantineKey, type SessionKeys, sessionKeys } from '../../../../src/contract/keys.js';
import {
  composeStatus,
  type Fence,
  type SessionState,
  type Status,
} from '../../../../src/contract/status.js';
import { readFence } from '../../../../src/platform/store/fence.js';
import { parseIntent, parseOutcome, requestEnd } from '../../../../src/platform/store/intent-store.js';
import { claimRun, renewHeartbeat, renewLock, stepDown } from '../../../../src/platform/store/run-store.js';
import { endRun, parseStatus, publishStatus } from '../../../../src/platform/store/state-store.js';
import { markWiped } from '../../../../src/platform/store/wipe-store.js';
import { assertNothingLeft } from '../../../support/leftovers.js';
import { onBound } from '../../../support/on-bound.js';
import { startRedis } from '../../../support/redis-server.js';

const server = await startRedis();
const redis = new Redis(server.url);
const session = 'default';
const k: SessionKeys = sessionKeys(session);

after(async () => {
  redis.disconnect();
  await server.stop();
  await assertNothingLeft();
});

beforeEach(async () => {
  await redis.flushall();
  await redis.set(k.lock, 'token-a');
});

async function claim(token = 'token-a', startId = 'start-1') {
  const result = await claimRun(redis, session, token, startId);
  assert.ok(result.type === 'claimed', result.type);
  return { ...result, fence: { epoch: result.epoch, incarnation: 0 } };
}

function statusOf(fence: Fence, state: SessionState = 'starting'): Status {
  const facts = { auth_dir: '/auth', chrome_executable: '/chromium', headless: true, session };
  const run = { ...facts, ...fence, restarts: 0, supervisor: 'a' };
  return composeStatus(run, { state, lastError: null, account: null }, new Date().toISOString());
}

function publish(expected: Fence, next: Fence, state: SessionState = 'starting', heartbeatTtlMs = 0) {
  return publishStatus(redis, { session, expected, status: statusOf(next, state), heartbeatTtlMs, onBound });
}

function beat(epoch: number, token = 'token-a') {
  return renewHeartbeat(redis, { session, token, epoch, ttlMs: 60_000 });
}

const after1 = ({ epoch, incarnation }: Fence): Fence => ({ epoch, incarnation: incarnation + 1 });

test('a claim without the lock is refused and changes nothing', async () => {
  const { fence } = await claim();
  assert.deepEqual(await claimRun(redis, session, 'token-b', 'start-1'), { type: 'not-ours' });
  assert.deepEqual(await readFence(redis, session), fence);
  await redis.del(k.lock);
  assert.deepEqual(await claimRun(redis, session, 'token-a', 'start-1'), { type: 'not-ours' });
});

test('a late claim cannot fence out the holder of the lock', async () => {
  await redis.set(k.lock, 'token-b');
  const { fence } = await claim('token-b');
  assert.equal((await claimRun(redis, session, 'token-a', 'start-1')).type, 'not-ours');
  assert.equal(await publish(fence, after1(fence)), true);
});

test('the epoch is the time of Redis, and grows even when that goes back', async () => {
  const [seconds] = await redis.time();
  const { epoch } = await claim();
  assert.ok(epoch >= Number(seconds) * 1_000);
  const ahead = epoch + 3_600_000;
  await redis.set(k.fence, `${ahead}.7`);
  assert.equal((await claim()).epoch, ahead + 1);
  assert.equal((await claim()).epoch, ahead + 2);
});

test('a claim returns the previous state and the epoch up to which credentials are invalid', async () => {
  assert.deepEqual([(await claim()).previous, (await claim()).wipedEpoch], [null, 0]);
  const { fence } = await claim();
  await publish(fence, after1(fence), 'ready');
  assert.equal(await markWiped(redis, session, fence.epoch), fence.epoch);
  const next = await claim();
  assert.deepEqual([next.previous?.state, next.wipedEpoch], ['ready', fence.epoch]);
});

test('each wipe has its own number, even two of one run', async () => {
  const { fence } = await claim();
  const first = await markWiped(redis, session, fence.epoch);
  const second = await markWiped(redis, session, fence.epoch);
  assert.ok(first !== null && second !== null && second > first, `${first} ${second}`);
});

test('a write moves the fence, and a late write of an older incarnation is refused', async () => {
  const { fence } = await claim();
  const first = after1(fence);
  assert.equal(await publish(fence, first), true);
  assert.equal(await publish(first, first, 'ready'), true, 'the thread of this incarnation');
  const second = after1(first);
  assert.equal(await publish(first, second, 'disconnected'), true);
  assert.equal(await publish(first, first, 'ready'), false);
  assert.equal(parseStatus(await redis.get(k.state))?.state, 'disconnected');
});

test('the fence is compared for equality, not for order', async () => {
  const { fence } = await claim();
  const foreign = [
    { epoch: fence.epoch + 1, incarnation: 0 },
    { epoch: fence.epoch, incarnation: 9 },
    { epoch: fence.epoch - 1, incarnation: 0 },
  ];
  for (const expected of foreign) assert.equal(await publish(expected, after1(expected)), false);
  await redis.del(k.fence);
  assert.equal(await publish(fence, after1(fence)), false, 'a missing fence refuses too');
  assert.equal(await redis.exists(k.state), 0);
});

test('state and QR are written together, and the next state deletes the QR', async () => {
  const { fence } = await claim();
  const png = Buffer.from([0x89, 0x50, 0, 255]);
  const qr = { png, base64: png.toString('base64') };
  const first = after1(fence);
  await publishStatus(redis, { session, expected: fence, status: statusOf(first, 'qr'), qr, onBound });
  assert.deepEqual(await redis.getBuffer(k.qrPng), png);
  assert.equal(await redis.get(k.qrBase64), qr.base64);
  await publish(first, first, 'authenticated');
  assert.equal(await redis.exists(k.qrPng, k.qrBase64), 0);
});

const ours = { isOurs: true, intent: null, isStateLost: false, isAnyUnreadable: false, isEnded: false };

test('only the current epoch may renew the heartbeat', async () => {
  const { fence } = await claim();
  await publish(fence, after1(fence), 'ready', 5_000);
  assert.ok((await redis.pttl(k.heartbeat)) > 0);
  assert.deepEqual(await beat(fence.epoch), ours);
  assert.ok((await redis.pttl(k.heartbeat)) > 5_000);
  await redis.del(k.heartbeat);
  assert.deepEqual(await beat(fence.epoch - 1), {
    isOurs: false,
    intent: null,
    isStateLost: false,
    isAnyUnreadable: false,
    isEnded: false,
  });
  assert.equal(await redis.exists(k.heartbeat), 0);
  assert.equal((await beat(fence.epoch)).isOurs, true);
  assert.equal(await redis.get(k.heartbeat), 'live', 'an expired heartbeat returns');
  await stepDown(redis, session, fence.epoch - 1);
  assert.equal(await redis.exists(k.heartbeat), 1);
  await stepDown(redis, session, fence.epoch);
  assert.equal(await redis.exists(k.heartbeat), 0);
});

test('an intent of the wrong type is quarantined by a heartbeat', async () => {
  const { fence } = await claim();
  await publish(fence, after1(fence), 'ready', 5_000);
  await redis.rpush(k.intent, 'x');
  assert.deepEqual(await beat(fence.epoch), ours);
  assert.equal(await redis.exists(k.intent), 0);
  assert.deepEqual(await redis.lrange(quarantineKey(k.intent), 0, -1), ['x']);
});

test('a heartbeat that arrives after the run has lost the lock is refused', async () => {
  const { fence } = await claim();
  await publish(fence, after1(fence), 'ready', 5_000);
  await redis.del(k.lock, k.heartbeat);
  assert.equal((await beat(fence.epoch)).isOurs, false);
  await redis.set(k.lock, 'token-b');
  assert.equal((await beat(fence.epoch)).isOurs, false);
  assert.equal(await redis.exists(k.heartbeat), 0);
  assert.equal((await beat(fence.epoch, 'token-b')).isOurs, true);
  assert.equal(await redis.get(k.heartbeat), 'live');
});

test('a logout replaces a stop intent, never the other way round', async () => {
  const stop = { id: 'stop-1', kind: 'stop' } as const;
  const logout = { id: 'logout-1', kind: 'logout' } as const;
  assert.deepEqual(await requestEnd(redis, session, stop), stop);
  assert.deepEqual(await requestEnd(redis, session, { id: 'stop-2', kind: 'stop' }), stop);
  assert.deepEqual(await requestEnd(redis, session, logout), logout);
  assert.deepEqual(await requestEnd(redis, session, stop), logout);
  const { epoch } = await claim();
  assert.deepEqual((await beat(epoch)).intent, logout);
});

test('an end completes its intent, and keeps a later one', async () => {
  const { fence } = await claim();
  const stop = await requestEnd(redis, session, { id: 'stop-1', kind: 'stop' });
  const later = await requestEnd(redis, session, { id: 'logout-1', kind: 'logout' });
  const end = { session, startId: 'start-1', unlinked: false, onBound };
  const first = after1(fence);
  const isEnded = await endRun(redis, {
    ...end,
    expected: fence,
    status: statusOf(first),
    intent: stop,
  });
  assert.equal(isEnded, true);
  assert.deepEqual(parseOutcome(await redis.get(k.outcome)), { id: 'stop-1', unlinked: false, reason: null });
  assert.deepEqual(parseIntent(await redis.get(k.intent)), later);
  assert.equal(await redis.exists(k.wiped), 0, 'a stop invalidates no credentials');
  assert.deepEqual([await redis.get(k.heartbeat), await redis.pttl(k.heartbeat)], ['ended', -1]);
  await beat(fence.epoch);
  assert.equal(await redis.pttl(k.heartbeat), -1, 'a late heartbeat changes nothing');

  const second = after1(first);
  const again = {
    ...end,
    expected: first,
    status: statusOf(second, 'stopped'),
    intent: later,
    ...logoutResults.nothingLinked,
  };
  assert.equal(await endRun(redis, again), true);
  const outcome = parseOutcome(await redis.get(k.outcome));
  assert.deepEqual(outcome, { id: later.id, ...logoutResults.nothingLinked });
  assert.equal(await redis.exists(k.intent), 0);
  assert.equal(await redis.get(k.wiped), String(fence.epoch));
});

test('an end with a foreign fence is refused and changes nothing', async () => {
  const { fence } = await claim();
  const stranger = { epoch: fence.epoch + 1, incarnation: 0 };
  const end = {
    ...{ session, startId: 'x', intent: null, unlinked: false, onBound },
    status: statusOf(stranger, 'stopped'),
  };
  assert.equal(await endRun(redis, { ...end, expected: stranger }), false);
  assert.equal(await endRun(redis, { ...end, expected: null }), false);
  assert.equal(await redis.exists(k.state, k.heartbeat, k.endedStart), 0);
  assert.equal(await markWiped(redis, session, stranger.epoch), null);
  assert.equal(await redis.exists(k.wiped), 0);
});

test('an ended start is not claimed again; a newer one is', async () => {
  const { fence } = await claim('token-a', 'start-1');
  const status = statusOf(after1(fence), 'stopped');
  await endRun(redis, {
    session,
    expected: fence,
    status,
    startId: 'start-1',
    intent: null,
    unlinked: false,
    onBound,
  });
  assert.deepEqual(await claimRun(redis, session, 'token-a', 'start-1'), { type: 'already-ended' });
  assert.ok((await claim('token-a', 'start-2')).epoch > fence.epoch);
});

test('a renewal needs the token, and removes the job from the stalled set', async () => {
  await redis.sadd(k.stalled, 's-default', 's-other');
  assert.equal(await renewLock(redis, session, 'token-b', 9_000), false);
  assert.equal(await redis.pttl(k.lock), -1);
  assert.equal(await renewLock(redis, session, 'token-a', 9_000), true);
  assert.ok((await redis.pttl(k.lock)) > 0);
  assert.deepEqual(await redis.smembers(k.stalled), ['s-other']);
  await redis.del(k.lock);
  assert.equal(await renewLock(redis, session, 'token-a', 9_000), false);
});

test('lock and heartbeat are renewed while Redis is out of memory and refuses a SET', async () => {
  const { fence } = await claim();
  await publish(fence, after1(fence), 'ready', 5_000);
  await redis.config('SET', 'maxmemory', '1');
  try {
    assert.equal(await renewLock(redis, session, 'token-a', 60_000), true);
    assert.ok((await redis.pttl(k.lock)) > 50_000);
    assert.equal((await beat(fence.epoch)).isOurs, true);
    assert.ok((await redis.pttl(k.heartbeat)) > 50_000);
    // The control: what BullMQ does to extend a lock.
    await assert.rejects(redis.set(k.lock, 'token-a', 'PX', 60_000, 'XX'), /OOM/);
    await assert.rejects(publish(after1(fence), after1(fence), 'ready'), /OOM/);
  } finally {
    await redis.config('SET', 'maxmemory', '0');
  }
});
