import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { logoutResults } from '../../../../src/contract/intent.js';
import { sessionKeys } from '../../../../src/contract/keys.js';
import type { Status } from '../../../../src/contract/status.js';
import { deferred } from '../../../../src/platform/deadline.js';
import { eventually } from '../../../support/eventually.js';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { parseMetrics } from '../../../support/metrics.js';
import {
  account,
  readyUntilAsked,
  type Script,
  type ScriptedOwner,
  showQrUntilAsked,
  startOwner,
} from '../../../support/scripted-owner.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

const keys = sessionKeys('default');

describe('POST /api/stop and /api/logout', () => {
  let server: RedisForData;
  let redis: Redis;
  let replica: Replica;
  let other: Replica;
  const owners: ScriptedOwner[] = [];

  before(async () => {
    server = await openRedis();
    redis = new Redis(server.url);
    [replica, other] = [await startReplica(server.url), await startReplica(server.url)];
  });
  afterEach(async () => {
    for (const owner of owners.splice(0)) await owner.close();
    await redis.flushdb();
  });
  after(async () => {
    await Promise.all([replica.close(), other.close()]);
    redis.disconnect();
    await server.stop();
  });

  async function owned(script: Script): Promise<ScriptedOwner> {
    const owner = await startOwner(server.url, script);
    owners.push(owner);
    return owner;
  }

  async function post(path: string, on = replica): Promise<unknown> {
    const response = await on.post(path);
    const body = await response.json();
    assert.equal(response.status, 200, JSON.stringify(body));
    return body;
  }

  async function assertStopped(expected: Partial<Status> = {}): Promise<void> {
    const status = await other.status();
    assert.deepEqual(
      { state: status.state, last_error: status.last_error, has_qr: status.has_qr },
      { state: 'stopped', last_error: null, has_qr: false },
    );
    for (const [name, value] of Object.entries(expected)) {
      assert.deepEqual(status[name as keyof Status], value, name);
    }
    assert.equal(await redis.get(keys.intent), null, 'no intent is left that would end the next run');
    await eventually(async () => (await redis.exists(keys.job)) === 0);
  }

  it('succeed with nothing to stop', async () => {
    assert.deepEqual(await post('/api/stop'), { ok: true });
    await assertStopped({ epoch: 0 });
  });

  it('end the run: a stop keeps the device linked', async () => {
    await owned(readyUntilAsked);
    await post('/api/auth/start');
    assert.deepEqual(await post('/api/stop', other), { ok: true });
    await assertStopped({ account });
    assert.equal(await redis.get(keys.wiped), null);
  });

  it('end the run: a logout unlinks the device and forgets the account', async () => {
    await owned(readyUntilAsked);
    await post('/api/auth/start');
    assert.deepEqual(await post('/api/logout', other), { ok: true, ...logoutResults.unlinked });
    await assertStopped({ account: null });
    assert.notEqual(await redis.get(keys.wiped), null);
  });

  for (const [whose, given] of [
    ['of the owner', logoutResults.notTold],
    ['although an owner of an earlier version gives none', { unlinked: false, reason: null }],
  ] as const) {
    it(`answer unlinked: false and the reason when the phone could not be reached, ${whose}`, async () => {
      await owned(async (run) => {
        await run.publish('ready', { account });
        await run.end('stopped', { intent: await run.intent, ...given });
      });
      await post('/api/auth/start');
      assert.deepEqual(await post('/api/logout'), { ok: true, ...logoutResults.notTold });
    });
  }

  it('say that nothing was linked at a second logout', async () => {
    await owned(readyUntilAsked);
    await post('/api/auth/start');
    await post('/api/logout');
    assert.deepEqual(await post('/api/logout', other), { ok: true, ...logoutResults.nothingLinked });
  });

  it('invalidate all stored credentials at a logout, even if no session was ever started', async () => {
    assert.deepEqual(await post('/api/logout'), { ok: true, ...logoutResults.nothingLinked });
    const { epoch } = await replica.status();
    assert.ok(epoch > 0);
    assert.equal(await redis.get(keys.wiped), String(epoch));
    await assertStopped();
    const logged = replica.logLines.map(({ msg }) => msg);
    assert.ok(logged.includes('session logged out; no supervisor was running it'), String(logged));
  });

  it('count a bound that the last state reaches', async () => {
    const environment = { WHATSAPP_AUTH_DIR: `/srv/${'long/'.repeat(500)}` };
    const long = await startReplica(server.url, { environment });
    try {
      await post('/api/logout', long);
      const { value } = parseMetrics(await (await long.get('/metrics')).text());
      assert.equal(value('holdline_bound_reached_total', { bound: 'statusText' }), 1);
    } finally {
      await long.close();
    }
  });

  it('invalidate the credentials and forget the account at a logout after a stop', async () => {
    await owned(readyUntilAsked);
    const { epoch } = (await post('/api/auth/start')) as Status;
    await post('/api/stop');
    assert.deepEqual(await post('/api/logout'), { ok: true, ...logoutResults.noOwner });
    await assertStopped({ account: null });
    assert.ok(Number(await redis.get(keys.wiped)) > epoch);
  });

  it('withdraw a start that no supervisor has taken', async () => {
    await post('/api/auth/start');
    assert.equal(await redis.exists(keys.job), 1);
    assert.deepEqual(await post('/api/stop'), { ok: true });
    await assertStopped();
    const owner = await owned(showQrUntilAsked);
    assert.equal(((await post('/api/auth/start')) as Status).state, 'qr');
    assert.equal(owner.runs.length, 1);
  });

  it('let a start that waits for a supervisor answer that it was stopped', async () => {
    // A live supervisor that takes no run.
    await redis.zadd('{wa}:supervisors', Date.now() + 60_000, 'busy');
    const started = post('/api/auth/start');
    await eventually(async () => (await redis.exists(keys.job)) === 1);
    await post('/api/stop', other);
    assert.equal(((await started) as Status).state, 'stopped');
    await assertStopped();
  });

  it('turn a failed login into stopped', async () => {
    await owned(async (run) => {
      await run.publish('starting');
      await run.end('auth_failure', { lastError: 'refused' });
    });
    await post('/api/auth/start');
    assert.deepEqual(await post('/api/stop'), { ok: true });
    await assertStopped();
  });

  it('join when many come at once on two replicas, and are all answered', async () => {
    await owned(readyUntilAsked);
    await post('/api/auth/start');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        post(i % 4 === 0 ? '/api/logout' : '/api/stop', i % 2 ? replica : other),
      ),
    );
    for (const [i, answer] of answers.entries()) assert.equal((answer as { ok: boolean }).ok, true, `${i}`);
    await assertStopped({ account: null });
    assert.notEqual(await redis.get(keys.wiped), null);
  });

  it('are answered together when a logout overtakes a stop', async () => {
    const mayEnd = deferred<void>();
    await owned(async (run) => {
      await run.publish('ready', { account });
      await run.intent;
      await mayEnd.promise;
      const newest = JSON.parse((await redis.get(keys.intent)) ?? '');
      await run.end('stopped', { intent: newest, unlinked: true });
    });
    await post('/api/auth/start');
    const stopped = post('/api/stop');
    await eventually(async () => (await redis.get(keys.intent))?.includes('stop'));
    const loggedOut = post('/api/logout', other);
    await eventually(async () => (await redis.get(keys.intent))?.includes('logout'));
    mayEnd.resolve();
    assert.deepEqual(await stopped, { ok: true });
    assert.deepEqual(await loggedOut, { ok: true, ...logoutResults.unlinked });
  });

  it('carry out a logout that comes too late for the owner without it', async () => {
    const isAsked = deferred<void>();
    const mayEnd = deferred<void>();
    await owned(async (run) => {
      await run.publish('ready', { account });
      const intent = await run.intent;
      isAsked.resolve();
      await mayEnd.promise;
      await run.end('stopped', { intent });
    });
    await post('/api/auth/start');
    const stopped = post('/api/stop');
    await isAsked.promise;
    const loggedOut = post('/api/logout', other);
    await eventually(async () => (await redis.get(keys.intent))?.includes('logout'));
    mayEnd.resolve();
    assert.deepEqual(await stopped, { ok: true });
    assert.deepEqual(await loggedOut, { ok: true, ...logoutResults.noOwner });
    await assertStopped({ account: null });
    assert.notEqual(await redis.get(keys.wiped), null);
  });

  it('end the run of a dead owner once its lock has expired', async () => {
    const dead = await startOwner(server.url, async (run) => {
      await run.publish('ready', { account });
      await run.intent;
    });
    await post('/api/auth/start');
    await dead.crash();
    assert.deepEqual(await post('/api/stop'), { ok: true });
    await assertStopped({ account });
  });

  it('are carried out by the supervisor that takes over from a dead one', async () => {
    const dead = await startOwner(server.url, async (run) => {
      await run.publish('ready', { account });
      await run.intent;
    });
    await post('/api/auth/start');
    await dead.crash();
    const standby = await owned(readyUntilAsked);
    assert.equal(((await post('/api/logout')) as { ok: boolean }).ok, true);
    await assertStopped({ account: null });
    assert.ok(standby.runs.length <= 1);
  });

  it('answer 504 when the owner does not end in time, and keep the intent', async () => {
    const impatient = await startReplica(server.url, { timing: { endWaitMs: 300 } });
    const mayEnd = deferred<void>();
    try {
      await owned(async (run) => {
        await run.publish('ready', { account });
        const intent = await run.intent;
        await mayEnd.promise;
        await run.end('stopped', { intent });
      });
      await post('/api/auth/start');
      const response = await impatient.post('/api/stop');
      assert.equal(response.status, 504);
      const { error } = (await response.json()) as { error: { code: string; message: string } };
      assert.equal(error.code, 'timeout');
      assert.match(error.message, /stop stays recorded and will be carried out/);
      assert.match((await redis.get(keys.intent)) ?? '', /"stop"/);
      mayEnd.resolve();
      await eventually(async () => (await replica.status()).state === 'stopped');
      await assertStopped();
    } finally {
      mayEnd.resolve();
      await impatient.close();
    }
  });

  it('go on when the caller has left', async () => {
    const mayEnd = deferred<void>();
    await owned(async (run) => {
      await run.publish('ready', { account });
      await run.intent;
      await mayEnd.promise;
      // The run ends for another reason and has not carried out the intent.
      await run.end('disconnected', { lastError: 'restarts used up' });
    });
    await post('/api/auth/start');
    const leaving = new AbortController();
    const left = replica.post('/api/logout', { signal: leaving.signal });
    await eventually(async () => (await redis.get(keys.intent))?.includes('logout'));
    leaving.abort();
    await assert.rejects(left);
    mayEnd.resolve();
    await eventually(async () => (await other.status()).state === 'stopped');
    await assertStopped({ account: null });
  });
});
