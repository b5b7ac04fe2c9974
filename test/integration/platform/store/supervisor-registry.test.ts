import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import {
  supervisorFactsKey,
  supervisorPlacesKey,
  supervisorRoomKey,
  supervisorsKey,
} from '../../../../src/contract/keys.js';
import { parsePlaces } from '../../../../src/contract/places.js';
import {
  readSupervisors,
  registerSupervisor,
  unregisterSupervisor,
} from '../../../../src/platform/store/supervisor-registry.js';
import { eventually } from '../../../support/eventually.js';
import { openRedis } from '../../../support/shared-redis.js';
import { supervisorFacts } from '../../../support/supervisor-facts.js';

describe('the list of supervisors', async () => {
  const server = await openRedis();
  const redis = new Redis(server.url);
  beforeEach(async () => {
    await redis.flushdb();
  });
  after(async () => {
    redis.disconnect();
    await server.stop();
  });

  const places = () => redis.get(supervisorPlacesKey);

  /** As the version before registers. */
  async function registerEarlier(supervisor: string, room: number, ttlMs = 60_000): Promise<void> {
    await redis.hset(supervisorRoomKey, supervisor, room);
    await redis.zadd(supervisorsKey, Date.now() + ttlMs, supervisor);
  }

  it('has what each tells of itself, and the places of all together', async () => {
    await registerSupervisor(redis, 'one', supervisorFacts(3, 1), 60_000);
    await registerSupervisor(redis, 'two', supervisorFacts(0, 5), 60_000);
    assert.deepEqual(await readSupervisors(redis), [
      { supervisor: 'one', room: 3, facts: supervisorFacts(3, 1) },
      { supervisor: 'two', room: 0, facts: supervisorFacts(0, 5) },
    ]);
    assert.equal(await places(), '3 9 3');
    const placesTtl = await redis.pttl(supervisorPlacesKey);
    assert.ok(placesTtl > 30_000 && placesTtl <= 40_000, `two thirds of a registration: ${placesTtl}`);

    await registerSupervisor(redis, 'one', supervisorFacts(0, 4), 60_000);
    assert.equal(await places(), '0 9 0');
    await unregisterSupervisor(redis, 'two');
    assert.equal(await places(), '0 4 0');
    await unregisterSupervisor(redis, 'one');
    assert.equal(await places(), null);
    assert.equal(await redis.exists(supervisorsKey, supervisorRoomKey, supervisorFactsKey), 0);
  });

  it('reads supervisors that do not tell how many starts are possible', async () => {
    const { starts: _, ...facts } = supervisorFacts(3, 1);
    await registerEarlier('one', 3);
    await redis.hset(supervisorFactsKey, 'one', JSON.stringify(facts));
    assert.deepEqual(await readSupervisors(redis), [{ supervisor: 'one', room: 3, facts }]);
    await registerSupervisor(redis, 'two', supervisorFacts(2, 0, 1), 60_000);
    assert.equal(await places(), '5 6 4');
    assert.deepEqual(parsePlaces('5 6'), { room: 5, capacity: 6, starts: 5 });
    assert.deepEqual(parsePlaces('5 6 4'), { room: 5, capacity: 6, starts: 4 });
    assert.equal(parsePlaces('5 6 x'), null);
  });

  it('counts the starts that are possible at once only where there is room for them', async () => {
    await registerSupervisor(redis, 'one', supervisorFacts(3, 1, 2), 60_000);
    await registerSupervisor(redis, 'two', supervisorFacts(1, 4, 2), 60_000);
    await registerSupervisor(redis, 'full', supervisorFacts(0, 4, 2), 60_000);
    await registerSupervisor(redis, 'busy', supervisorFacts(4, 0, 0), 60_000);
    assert.equal(await places(), '8 17 3');
  });

  it('forgets who does not register again', async () => {
    await registerSupervisor(redis, 'gone', supervisorFacts(3), 50);
    await eventually(async () => (await readSupervisors(redis)).length === 0);
    assert.equal(await places(), null, 'it expires with the last registration');
    await registerSupervisor(redis, 'here', supervisorFacts(1), 60_000);
    assert.deepEqual(await redis.hkeys(supervisorFactsKey), ['here']);
    assert.deepEqual(await redis.hkeys(supervisorRoomKey), ['here']);
    assert.equal(await places(), '1 1 1');
  });

  it('knows a supervisor of the version before by its room alone', async () => {
    await registerEarlier('earlier', 2);
    assert.deepEqual(await readSupervisors(redis), [{ supervisor: 'earlier', room: 2, facts: null }]);
    await registerSupervisor(redis, 'full', supervisorFacts(0, 4), 60_000);
    assert.equal(await places(), '2 4 2', 'a start waits for its room');
    await registerEarlier('earlier', 0);
    await registerSupervisor(redis, 'full', supervisorFacts(0, 4), 60_000);
    assert.equal(await places(), '0 4 0');
  });

  it('loses the facts that a supervisor of the version before has left behind', async () => {
    await registerSupervisor(redis, 'gone', supervisorFacts(3), 60_000);
    // The version before removes expired entries without their facts.
    await redis.zrem(supervisorsKey, 'gone');
    await redis.hdel(supervisorRoomKey, 'gone');
    await registerSupervisor(redis, 'here', supervisorFacts(1), 60_000);
    assert.deepEqual(await redis.hkeys(supervisorFactsKey), ['here']);
  });

  it('takes facts and room that cannot be read for unknown and none', async () => {
    for (const facts of ['', '{', '[]', '{"capacity":"many"}', 'null']) {
      await registerEarlier('foreign', 0);
      await redis.hset(supervisorRoomKey, 'foreign', '-7');
      await redis.hset(supervisorFactsKey, 'foreign', facts);
      await registerSupervisor(redis, 'here', supervisorFacts(1), 60_000);
      const [foreign] = (await readSupervisors(redis)).filter(({ supervisor }) => supervisor === 'foreign');
      assert.deepEqual(foreign, { supervisor: 'foreign', room: 0, facts: null });
      assert.equal(await places(), '1 1 1');
    }
  });
});
