import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { keyPrefix, sessionKeys } from '../../../../src/contract/keys.js';
import { sessionsQueue } from '../../../../src/contract/names.js';
import { noSupervisorSentence, type Status } from '../../../../src/contract/status.js';
import { deferred } from '../../../../src/platform/deadline.js';
import { startJobOptions } from '../../../../src/platform/queues/start-queue.js';
import { eventually } from '../../../support/eventually.js';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { type RedisServer, startRedis } from '../../../support/redis-server.js';
import {
  type Script,
  type ScriptedOwner,
  showQrUntilAsked,
  startOwner,
} from '../../../support/scripted-owner.js';

const keys = sessionKeys('default');
const account = { wid: '491511234567@c.us', pushname: 'Ada', platform: 'android' };

describe('POST /api/auth/start', () => {
  let server: RedisServer;
  let redis: Redis;
  const replicas: Replica[] = [];
  const owners: ScriptedOwner[] = [];

  before(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    for (let i = 0; i < 3; i++) replicas.push(await startReplica(server.url));
  });
  afterEach(async () => {
    for (const owner of owners.splice(0)) await owner.close();
    await redis.flushall();
  });
  after(async () => {
    for (const replica of replicas) await replica.close();
    redis.disconnect();
    await server.stop();
  });

  async function owned(script: Script, lockMs?: number): Promise<ScriptedOwner> {
    const owner = await startOwner(server.url, script, lockMs);
    owners.push(owner);
    return owner;
  }

  async function start(headers: Record<string, string> = {}, replica = replicas[0]): Promise<Status> {
    const response = await (replica as Replica).post('/api/auth/start', { headers });
    assert.equal(response.status, 200);
    return (await response.json()) as Status;
  }

  /** Starts without waiting, and returns once the run has begun. */
  async function begin(): Promise<void> {
    await start({ prefer: 'wait=0' });
    await eventually(async () => (await replicas[0]?.status())?.state === 'starting');
  }

  /** How often replicas have read the state of a run: nothing else calls ZCOUNT, on the supervisor registry. */
  async function runReads(): Promise<number> {
    return Number(/cmdstat_zcount:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
  }

  it('answers with the status as soon as there is a QR', async () => {
    await owned(showQrUntilAsked);
    const status = await start();
    assert.equal(status.state, 'qr');
    assert.equal(status.has_qr, true);
    assert.equal(status.qr?.number, 1);
  });

  it('makes one run of 50 concurrent starts on three replicas', async () => {
    const owner = await owned(showQrUntilAsked);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => start({}, replicas[i % replicas.length])),
    );
    assert.deepEqual(new Set(answers.map(({ state }) => state)), new Set(['qr']));
    assert.equal(new Set(answers.map(({ epoch }) => epoch)).size, 1);
    assert.equal(owner.runs.length, 1);
  });

  it('makes one job of 50 concurrent starts without a supervisor', async () => {
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => start({ prefer: 'wait=1' }, replicas[i % replicas.length])),
    );
    const queue = new Queue(sessionsQueue, { connection: redis, prefix: keyPrefix });
    try {
      assert.equal((await queue.getJobCounts('wait', 'active', 'delayed')).wait, 1);
    } finally {
      await queue.close();
    }
  });

  it('joins a start in progress', async () => {
    const mayGoOn = deferred<void>();
    const owner = await owned(async (run) => {
      await run.publish('starting');
      await mayGoOn.promise;
      await run.publish('qr', { qrText: 'a code' });
      await run.end('stopped', { intent: await run.intent });
    });
    const first = start();
    await eventually(async () => (await replicas[1]?.status())?.state === 'starting');
    const second = start({}, replicas[1]);
    mayGoOn.resolve();
    assert.deepEqual([(await first).state, (await second).state], ['qr', 'qr']);
    assert.equal(owner.runs.length, 1);
  });

  for (const state of ['ready', 'passkey_required', 'disconnected'] as const) {
    it(`answers at once when the session is already ${state}`, async () => {
      const owner = await owned(async (run) => {
        await run.publish('starting');
        await run.publish(state, { account });
        await run.end('stopped', { intent: await run.intent });
      });
      await start();
      const startedAt = performance.now();
      assert.equal((await start({}, replicas[2])).state, state);
      assert.ok(performance.now() - startedAt < 15_000, 'it did not wait to the end');
      assert.equal(owner.runs.length, 1);
    });
  }

  it('answers 200 with the reason when the login failed, and the next start is a new run', async () => {
    const owner = await owned(async (run) => {
      await run.publish('starting');
      await run.end('auth_failure', { lastError: 'WhatsApp refused the login' });
    });
    const failed = await start();
    assert.equal(failed.state, 'auth_failure');
    assert.equal(failed.last_error, 'WhatsApp refused the login');
    const again = await start();
    assert.equal(again.state, 'auth_failure');
    assert.ok(again.epoch > failed.epoch);
    assert.equal(owner.runs.length, 2);
  });

  it('is not lost while the previous run ends', async () => {
    const hasEnded = deferred<void>();
    const mayComplete = deferred<void>();
    const owner = await owned(async (run) => {
      await run.publish('starting');
      if (owner.runs.length > 1) return showQrUntilAsked(run);
      await run.end('auth_failure', { lastError: 'refused' });
      hasEnded.resolve();
      await mayComplete.promise;
    });
    const first = await start();
    await hasEnded.promise;
    const second = start();
    // A job that is added now would vanish with the job of the ended run.
    const early = await start({ prefer: 'wait=0' }, replicas[1]);
    assert.equal(early.epoch, first.epoch);
    mayComplete.resolve();
    assert.equal((await second).state, 'qr');
    assert.equal(owner.runs.length, 2);
  });

  it('is carried out even if its caller does not wait for the previous run to end', async () => {
    const hasEnded = deferred<void>();
    const mayComplete = deferred<void>();
    const owner = await owned(async (run) => {
      if (owner.runs.length > 1) return showQrUntilAsked(run);
      await run.publish('starting');
      await run.end('auth_failure', { lastError: 'refused' });
      hasEnded.resolve();
      await mayComplete.promise;
    });
    await start();
    await hasEnded.promise;
    await start({ prefer: 'wait=0' });
    mayComplete.resolve();
    await eventually(async () => (await replicas[0]?.status())?.state === 'qr');
  });

  it('starts a new run after a stop in progress', async () => {
    const isAsked = deferred<void>();
    const mayEnd = deferred<void>();
    const owner = await owned(async (run) => {
      if (owner.runs.length > 1) return showQrUntilAsked(run);
      await run.publish('starting');
      await run.publish('ready', { account });
      const intent = await run.intent;
      isAsked.resolve();
      await mayEnd.promise;
      await run.end('stopped', { intent });
    });
    assert.equal((await start()).state, 'ready');
    const stopped = replicas[1]?.post('/api/stop');
    await isAsked.promise;
    const restarted = start();
    mayEnd.resolve();
    assert.equal((await restarted).state, 'qr');
    assert.equal((await stopped)?.status, 200);
    assert.equal(owner.runs.length, 2);
  });

  it('carries out a leftover intent first, and then runs', async () => {
    await redis.set(keys.intent, JSON.stringify({ id: 'left-behind', kind: 'logout' }));
    await owned(showQrUntilAsked);
    assert.equal((await start()).state, 'qr');
    assert.equal(await redis.get(keys.intent), null);
    assert.notEqual(await redis.get(keys.wiped), null);
  });

  it('is not lost when Redis loses its data during the wait', async () => {
    const mayGoOn = deferred<void>();
    const owner = await owned(async (run) => {
      if (owner.runs.length > 1) return showQrUntilAsked(run);
      await run.publish('starting');
      await mayGoOn.promise;
    });
    const answer = start();
    await eventually(() => owner.runs.length === 1);
    await redis.flushall();
    mayGoOn.resolve();
    await answer;
    await eventually(async () => (await replicas[0]?.status())?.state === 'qr');
  });

  it('says at once that no supervisor is running, and keeps the job', async () => {
    const startedAt = performance.now();
    const status = await start();
    assert.ok(performance.now() - startedAt < 15_000, 'it did not wait to the end');
    assert.equal(status.state, 'stopped');
    assert.equal(status.last_error, noSupervisorSentence);
    assert.equal(await redis.exists(keys.job), 1);

    await owned(showQrUntilAsked);
    await eventually(async () => (await replicas[0]?.status())?.state === 'qr');
  });

  it('is answered by a standby that takes the job of a dead supervisor', async () => {
    const dead = await startOwner(server.url, async (run) => {
      await run.publish('starting');
      await run.intent;
    });
    const answer = start();
    await eventually(() => dead.runs.length === 1);
    await owned(showQrUntilAsked);
    await dead.crash();
    assert.equal((await answer).state, 'qr');
  });

  it('waits as long as the caller prefers, with Preference-Applied', async () => {
    await owned(async (run) => {
      await run.publish('starting');
      await run.end('stopped', { intent: await run.intent });
    });
    await begin();
    const startedAt = performance.now();
    const response = await replicas[0]?.post('/api/auth/start', { headers: { prefer: 'wait=1' } });
    const tookMs = performance.now() - startedAt;
    assert.equal(response?.headers.get('preference-applied'), 'wait=1');
    assert.equal(((await (response as Response).json()) as Status).state, 'starting');
    assert.ok(tookMs >= 950 && tookMs < 15_000, `${tookMs} ms`);
  });

  it('waits its default time when the preference is invalid', async () => {
    const replica = await startReplica(server.url, { timing: { authStartWaitMs: 300 } });
    try {
      await owned(async (run) => {
        await run.publish('starting');
        await run.end('stopped', { intent: await run.intent });
      });
      await begin();
      const response = await replica.post('/api/auth/start', { headers: { prefer: 'wait=soon' } });
      assert.equal(response.headers.get('preference-applied'), null);
      assert.equal(((await response.json()) as Status).state, 'starting');
    } finally {
      await replica.close();
    }
  });

  it('ends its wait when the client leaves, and answers when the server closes', async () => {
    const replica = await startReplica(server.url);
    const owner = await owned(async (run) => {
      await run.publish('starting');
      await run.end('stopped', { intent: await run.intent });
    });
    const leaving = new AbortController();
    const left = replica.post('/api/auth/start', { signal: leaving.signal });
    await eventually(() => owner.runs.length === 1);
    leaving.abort();
    await assert.rejects(left);
    await eventually(() =>
      replica.logLines.some((line) => line.path === '/api/auth/start' && line.isAborted),
    );

    const readsBefore = await runReads();
    const waiting = replica.post('/api/auth/start');
    // The abandoned call may read once more.
    await eventually(async () => (await runReads()) > readsBefore + 1);
    const startedAt = performance.now();
    await replica.close();
    assert.equal((await waiting).status, 200);
    assert.ok(performance.now() - startedAt < 15_000, 'it did not wait to the end');
  });

  it('uses the same job as the restart of a supervisor', async () => {
    const queue = new Queue(sessionsQueue, { connection: redis, prefix: keyPrefix });
    try {
      const { name, data, options } = startJobOptions('default');
      await queue.add(name, data, options);
      const owner = await owned(showQrUntilAsked);
      assert.equal((await start()).state, 'qr');
      assert.equal(owner.runs.length, 1);
      assert.equal(owner.runs[0]?.startId, data.startId);
    } finally {
      await queue.close();
    }
  });
});
