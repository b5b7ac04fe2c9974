import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { Cluster } from 'ioredis';
import { absentKey, keyPrefix, sessionKeys } from '../../../../src/contract/keys.js';
import { defaultSession } from '../../../../src/contract/names.js';
import { redisRights } from '../../../../src/contract/redis-rights.js';
import { userProblem } from '../../../../src/platform/redis/rights.js';
import { accessList } from '../../../docs/access-list.js';
import { eventually } from '../../../support/eventually.js';
import { assertNothingLeft } from '../../../support/leftovers.js';
import {
  type RedisFleet,
  type RedisNode,
  startRedisCluster,
  startRedisSentinels,
} from '../../../support/redis-fleet.js';
import { commandsCounted } from '../../../support/redis-use.js';
import { WholeProduct } from '../../../support/whole-product.js';

/** The same product on other kinds of Redis, by another URL. */
describe('the whole product', () => {
  after(assertNothingLeft);

  /** Creates the user of docs/redis-users.acl on each of these servers. */
  async function giveRights(nodes: readonly RedisNode[]): Promise<void> {
    const rules = /^user (holdline on .*)$/m.exec(accessList())?.[1]?.split(' ') ?? [];
    await Promise.all(nodes.map(({ redis }) => redis.acl('SETUSER', ...(rules as [string]))));
  }

  async function on(
    fleet: RedisFleet,
    use: (product: WholeProduct, fleet: RedisFleet) => Promise<void>,
  ): Promise<void> {
    const product = await WholeProduct.start(fleet.url);
    try {
      await use(product, fleet);
    } finally {
      await product.close();
      await fleet.close();
    }
  }

  it('runs on a cluster of three, and resumes when the node of its slot is back after a kill', async () => {
    await on(await startRedisCluster(), async (product, { nodes }) => {
      await product.exercise();
      const holders = await Promise.all(nodes.map(async (node) => ({ node, keys: await keysOn(node) })));
      const [holder, ...more] = holders.filter(({ keys }) => keys.length > 0);
      assert.ok(holder && more.length === 0, 'one node has all keys');
      assert.ok(holder.keys.every((key) => key.startsWith('{wa}')));
      const before = await product.untilReady();
      await holder.node.kill();
      await eventually(async () => (await product.replica.get('/readyz')).status === 503);
      await holder.node.restart();
      await product.untilReady(before);
      await product.sendUntilTaken('two');
      await product.end();
    });
  });

  it('needs exactly the rights of the access list in a cluster', async () => {
    const fleet = await startRedisCluster();
    const { nodes } = fleet;
    await giveRights(nodes);
    const url = fleet.url.replace('://', '://holdline:change-me@');
    const ask = new Cluster(
      nodes.slice(0, 2).map(({ port }) => ({ host: '127.0.0.1', port })),
      {
        redisOptions: { username: 'holdline', password: 'change-me', disableClientInfo: true },
      },
    );
    try {
      assert.equal(await userProblem(url), null);
      await on({ ...fleet, url, close: async () => undefined }, (product) => product.exercise());
      await whileMoving(nodes, async () => assert.equal(await ask.get(absentKey), null));
      for (const { redis } of nodes) assert.deepEqual(await redis.acl('LOG'), []);
      const counted = new Set((await Promise.all(nodes.map(({ redis }) => commandsCounted(redis)))).flat());
      const special = redisRights.filter(({ only }) => only === 'cluster').map(({ name }) => name);
      assert.deepEqual(
        special.filter((name) => !counted.has(name)),
        [],
      );
      const [first] = nodes as [RedisNode];
      await first.redis.acl('SETUSER', 'holdline', '-cluster|info', '-asking');
      assert.match((await userProblem(url)) ?? '', /may not use asking or cluster\|info: give it/);
    } finally {
      ask.disconnect();
      await fleet.close();
    }
  });

  it('runs behind sentinels, and resumes after they have made the replica the master', async () => {
    await on(await startRedisSentinels(), async (product, { nodes }) => {
      await product.exercise();
      const [master, replica] = nodes as [RedisNode, RedisNode];
      const before = await product.untilReady();
      const { fence } = sessionKeys(defaultSession);
      await eventually(async () => (await replica.redis.get(fence)) === (await master.redis.get(fence)));
      await master.kill();
      await eventually(async () => /role:master/.test(await replica.redis.info('replication')), {
        timeoutMs: 40_000,
        message: 'the sentinels have made the replica the master',
      });
      await product.untilReady(before);
      await product.sendUntilTaken('two');
      assert.notEqual(await replica.redis.exists(sessionKeys(defaultSession).state), 0);
      await product.end();
    });
  });
});

/** Runs `use` while the slot of all keys migrates: the old node redirects for keys that it does not find. */
async function whileMoving(nodes: readonly RedisNode[], use: () => Promise<void>): Promise<void> {
  const [one] = nodes as [RedisNode];
  const slot = (await one.redis.cluster('KEYSLOT', keyPrefix)) as number;
  const sizes = await Promise.all(nodes.map(async (node) => ({ node, keys: await keysOn(node) })));
  const from = sizes.find(({ keys }) => keys.length > 0)?.node as RedisNode;
  const to = nodes.find((node) => node !== from) as RedisNode;
  const [there, here] = await Promise.all(
    [to, from].map(({ redis }) => redis.cluster('MYID') as Promise<string>),
  );
  await to.redis.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', here ?? '');
  await from.redis.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', there ?? '');
  await use();
}

async function keysOn({ redis }: RedisNode): Promise<string[]> {
  return redis.keys('*');
}
