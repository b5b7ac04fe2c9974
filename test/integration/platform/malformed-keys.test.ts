import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { queueKeys, typeOfKey } from '../../../src/contract/key-types.js';
import {
  answersKey,
  commandRoomKey,
  quarantineKey,
  sessionKeys,
  supervisorFactsKey,
  supervisorRoomKey,
  supervisorsKey,
} from '../../../src/contract/keys.js';
import { defaultSession, readsQueue, sendsQueue, sessionsQueue } from '../../../src/contract/names.js';
import { eventually } from '../../support/eventually.js';
import { type Replica, startReplica } from '../../support/http-replica.js';
import { assertNothingLeft } from '../../support/leftovers.js';
import { isMalformedUnder, type MalformedValue, malformedValues } from '../../support/malformed-values.js';
import { startRedis } from '../../support/redis-server.js';
import { SupervisedSession } from '../../support/supervised-session.js';

/** Writes values of the wrong type to every key of a running session. Each fails only itself, and is quarantined. */

const session = defaultSession;
const redis = await startRedis();

/** Without BullMQ's counter of priorities, which BullMQ deletes whatever its type. */
const keysOf = (queue: string) => queueKeys(queue).filter((key) => !key.endsWith(':pc'));

/** One group for each key; keys that are read only on request share a group. */
const groups: readonly (readonly string[])[] = [
  ...[...Object.values(sessionKeys(session)), ...keysOf(sessionsQueue), supervisorsKey].map((key) => [key]),
  keysOf(sendsQueue(session)),
  keysOf(readsQueue(session)),
  [
    answersKey(session),
    commandRoomKey(session, 'sends'),
    commandRoomKey(session, 'reads'),
    supervisorRoomKey,
    supervisorFactsKey,
  ],
];

describe('a running session goes on and quarantines wrong values of', () => {
  let supervised: SupervisedSession;
  let replica: Replica;

  before(async () => {
    supervised = new SupervisedSession(redis, {
      session,
      timing: { heartbeatIntervalMs: 20, renewIntervalMs: 200, stalledIntervalMs: 100, drainDelayMs: 200 },
    });
    replica = await startReplica(redis.url);
    await supervised.run('ready');
    await supervised.observer.untilReady();
  });
  after(async () => {
    await replica.close();
    await supervised.close();
    await redis.stop();
    await assertNothingLeft();
  });

  const logLines = () => [...supervised.logLines, ...replica.logLines];

  for (const group of new Map(groups.map((keys) => [keys.join(), keys])).values()) {
    test(group.length === 1 ? String(group) : `the group of ${group[0]}`, async () => {
      for (const odd of malformedValues) await goesOn(group, odd);
    });
  }

  test('all keys at once: the run is lost and returns', async () => {
    const client = supervised.observer.redis;
    const own = Object.values(sessionKeys(session)).filter((key) => !key.endsWith(':stalled'));
    for (const text of ['rubbish', 'x'.repeat(1_000_000)]) {
      await client.mset(Object.fromEntries([...own, ...keysOf(sessionsQueue)].map((key) => [key, text])));
      await eventually(async () => (await client.get(sessionKeys(session).state)) !== text);
      await supervised.observer.untilReady();
      await serves('after all keys were strings');
    }
  });

  async function goesOn(group: readonly string[], odd: MalformedValue): Promise<void> {
    const keys = group.filter((key) => isMalformedUnder(odd, key));
    const client = supervised.observer.redis;
    const timesLogged = (key: string) => logLines().filter((line) => line.key === key).length;
    const before = keys.map(timesLogged);
    if (keys.length > 0) await client.del(...keys.map(quarantineKey));
    await Promise.all(keys.map((key) => odd.write(client, key)));
    for (const [i, key] of keys.entries()) {
      await eventually(async () => (await client.type(quarantineKey(key))) === odd.type, {
        message: `${key} as ${odd.what} is quarantined`,
      });
      const lines = await eventually(() => timesLogged(key) - (before[i] ?? 0), {
        message: `${key} is logged`,
      });
      assert.ok(lines < 3, 'not logged at every read');
    }
    const when = `after ${keys.join()} was ${odd.what}`;
    await eventually(
      async () => {
        assert.equal((await replica.status()).state, 'ready');
        for (const key of keys) assert.ok(['none', typeOfKey(key)].includes(await client.type(key)));
        return true;
      },
      { message: `ready again ${when}` },
    );
    await serves(when);
  }

  async function serves(when: string): Promise<void> {
    const sent = await replica.post('/api/send', {
      headers: { 'content-type': 'application/json', prefer: 'wait=20' },
      body: JSON.stringify({ phone_number: '+15551234567', message: 'hello' }),
    });
    const answer = await sent.text();
    assert.equal(sent.status, 200, `a send ${when}: ${answer}`);
    for (const path of ['/health', `/api/jobs/m-${'0'.repeat(36)}`]) {
      const { status } = await replica.get(path);
      assert.ok(status === 200 || status === 404, `${path} ${when}: ${status}`);
    }
    const stream = new AbortController();
    const events = await replica.get('/api/events', { signal: stream.signal });
    assert.equal(events.status, 200, `events ${when}`);
    stream.abort();
  }
});
