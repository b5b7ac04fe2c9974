import assert from 'node:assert/strict';
import { after, afterEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { sessionKeys, supervisorRoomKey, supervisorsKey } from '../../../../src/contract/keys.js';
import { ownerGoneSentence, type Status } from '../../../../src/contract/status.js';
import { registerSupervisor } from '../../../../src/platform/store/supervisor-registry.js';
import { eventually } from '../../../support/eventually.js';
import { startReplica } from '../../../support/http-replica.js';
import { parseMetrics } from '../../../support/metrics.js';
import {
  type Script,
  type ScriptedOwner,
  showQrUntilAsked,
  startOwner,
} from '../../../support/scripted-owner.js';
import { openRedis } from '../../../support/shared-redis.js';
import { supervisorFacts } from '../../../support/supervisor-facts.js';

const full = 'every supervisor is full: 9 sessions of 9';
const turn = 'the start waits for its turn: a supervisor starts only a few sessions at a time';

describe('a start that waits', async () => {
  const server = await openRedis();
  const redis = new Redis(server.url);
  const replica = await startReplica(server.url);
  const owners: ScriptedOwner[] = [];
  afterEach(async () => {
    for (const owner of owners.splice(0)) await owner.close();
    await redis.flushdb();
  });
  after(async () => {
    await replica.close();
    redis.disconnect();
    await server.stop();
  });

  /** Two supervisors with nine places, of which these are free. They take nothing. */
  async function register({ room, starts = room }: { room: number; starts?: number }): Promise<void> {
    await registerSupervisor(redis, 'one', supervisorFacts(0, 4), 60_000);
    await registerSupervisor(redis, 'two', supervisorFacts(room, 5 - room, starts), 60_000);
  }

  async function start(): Promise<Status> {
    const response = await replica.post('/api/auth/start', { headers: { prefer: 'wait=0' } });
    return (await response.json()) as Status;
  }

  async function runOwner(script: Script, lockMs?: number): Promise<ScriptedOwner> {
    const owner = await startOwner(server.url, script, lockMs);
    owners.push(owner);
    return owner;
  }

  const said = async () => {
    const { state, last_error } = await replica.status();
    return [state, last_error];
  };
  const shownState = async () => {
    const page = parseMetrics(await (await replica.get('/metrics')).text());
    return page.series.find(({ name, value }) => name === 'holdline_session_state' && value === 1)?.labels
      .state;
  };

  it('says so while every supervisor is full, everywhere', async () => {
    await register({ room: 0 });
    const started = await start();
    assert.deepEqual([started.state, started.last_error, started.ready], ['starting', full, false]);
    assert.deepEqual(await replica.status(), started);
    const health = (await (await replica.get('/health')).json()) as { status: Status };
    assert.deepEqual(health.status, started);
    assert.equal(await shownState(), 'starting');
    const page = await (await replica.get('/qr')).text();
    assert.match(page, /Waiting for room/);
    assert.match(page, new RegExp(full));
  });

  it('accepts a message to send', async () => {
    await register({ room: 0 });
    await start();
    const response = await replica.post('/api/send', {
      headers: { 'content-type': 'application/json', prefer: 'respond-async' },
      body: JSON.stringify({ phone_number: '15551234567', message: 'hello' }),
    });
    assert.equal(response.status, 202);
  });

  it('says that it waits for its turn while there is room, and nothing once it was taken', async () => {
    await register({ room: 0 });
    await start();
    await register({ room: 1, starts: 0 });
    assert.deepEqual(await said(), ['starting', turn]);
    await runOwner(showQrUntilAsked);
    await eventually(async () => (await replica.status()).state === 'qr');
    assert.deepEqual(await said(), ['qr', null]);
    await register({ room: 0 });
    await replica.post('/api/stop');
    assert.deepEqual(await said(), ['stopped', null]);
    assert.equal(await shownState(), 'stopped');
    // The next start of a session that has run.
    await start();
    assert.notEqual((await said())[0], 'stopped');
  });

  it('says only that it is starting while a supervisor can take it at once', async () => {
    await register({ room: 1 });
    const started = await start();
    assert.deepEqual([started.state, started.last_error], ['starting', null]);
    const init = { method: 'PUT', headers: { 'content-type': 'application/json' } };
    const put = await replica.get('/api/sessions/one', { ...init, body: JSON.stringify({ start: true }) });
    const { status } = (await put.json()) as { status: Status };
    assert.deepEqual([put.status, status.state, status.last_error], [201, 'starting', null]);
    assert.match(await (await replica.get('/sessions/one/qr')).text(), /starts in a moment/);
  });

  it('names no supervisor, although one has run the session', async () => {
    const owner = await runOwner(showQrUntilAsked, 2_000);
    await start();
    await eventually(async () => (await replica.status()).state === 'qr');
    assert.notEqual((await replica.status()).supervisor, null);
    await register({ room: 0 });
    await owner.crash();
    const supervisors: Record<string, string | null> = {};
    await eventually(async () => {
      // The registration of the killed one expires.
      await register({ room: 0 });
      const { state, supervisor } = await replica.status();
      supervisors[state] = supervisor;
      assert.equal(state, 'starting');
      return true;
    });
    delete supervisors.qr;
    assert.deepEqual([...new Set(Object.values(supervisors))], [null]);
    const { sessions } = (await (await replica.get('/api/sessions')).json()) as {
      sessions: { status: Status }[];
    };
    assert.deepEqual(
      sessions.map(({ status }) => [status.state, status.supervisor]),
      [['starting', null]],
    );
  });

  it('ends with a stop', async () => {
    await register({ room: 0 });
    await start();
    assert.equal((await replica.post('/api/stop')).status, 200);
    assert.deepEqual(await said(), ['stopped', null]);
    assert.equal(await redis.exists(sessionKeys('default').start), 0);
  });

  it('says so for a run whose supervisor was killed, if the others are full', async () => {
    const owner = await runOwner(showQrUntilAsked, 2_000);
    await start();
    await eventually(async () => (await replica.status()).state === 'qr');
    await register({ room: 1 });
    await owner.crash();
    await eventually(async () => (await said())[0] === 'disconnected');
    assert.deepEqual(await said(), ['disconnected', ownerGoneSentence]);
    await eventually(async () => {
      // As the living supervisors do: they notice that the registration of the killed one has expired.
      await register({ room: 0 });
      assert.deepEqual(await said(), ['starting', full]);
      return true;
    });
  });

  it('is not told while only supervisors of the version before are alive', async () => {
    await redis.zadd(supervisorsKey, Date.now() + 60_000, 'earlier');
    await redis.hset(supervisorRoomKey, 'earlier', 0);
    assert.equal((await start()).state, 'stopped');
    assert.deepEqual(await said(), ['stopped', null]);
  });

  it('is over once a supervisor of the version before has ended the run', async () => {
    await register({ room: 0 });
    await start();
    // The version before writes the id of the ended start, and does not know the other key.
    const k = sessionKeys('default');
    await redis.set(k.endedStart, (await redis.get(k.start)) ?? '');
    await redis.set(k.heartbeat, 'ended');
    await redis.del(k.job);
    assert.deepEqual(await said(), ['stopped', null]);
  });
});
