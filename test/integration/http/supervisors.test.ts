import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { supervisorRoomKey, supervisorsKey } from '../../../src/contract/keys.js';
import { registerSupervisor } from '../../../src/platform/store/supervisor-registry.js';
import { startReplica } from '../../support/http-replica.js';
import { openRedis } from '../../support/shared-redis.js';
import { supervisorFacts } from '../../support/supervisor-facts.js';

describe('GET /api/supervisors', async () => {
  const server = await openRedis();
  const redis = new Redis(server.url);
  const replica = await startReplica(server.url);
  beforeEach(async () => {
    await redis.flushdb();
  });
  after(async () => {
    await replica.close();
    redis.disconnect();
    await server.stop();
  });

  const supervisors = async () => (await replica.get('/api/supervisors')).json();

  it('has those that are alive, and those of the version before by their room alone', async () => {
    assert.deepEqual(await supervisors(), { ok: true, count: 0, supervisors: [] });
    await registerSupervisor(redis, 'a-host-7-1f2e', supervisorFacts(3, 2), 60_000);
    await registerSupervisor(redis, 'gone', supervisorFacts(3, 2), 0);
    await redis.zadd(supervisorsKey, Date.now() + 50_000, 'earlier-9-0000');
    await redis.hset(supervisorRoomKey, 'earlier-9-0000', 1);
    const { host, version, since } = supervisorFacts(0);
    const unknown = { host: null, sessions: null, version: null, since: null };
    assert.deepEqual(await supervisors(), {
      ok: true,
      count: 2,
      supervisors: [
        { id: 'a-host-7-1f2e', host, sessions: 2, room: 3, version, since },
        { id: 'earlier-9-0000', room: 1, ...unknown },
      ],
    });
  });
});
