import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { sessionKeys } from '../../src/contract/keys.js';
import { defaultSession } from '../../src/contract/names.js';
import { eventually } from '../support/eventually.js';
import { assertNothingLeft } from '../support/leftovers.js';
import {
  type RedisFleet,
  type RedisNode,
  startRedisCluster,
  startRedisSentinels,
} from '../support/redis-fleet.js';
import { WholeProduct } from '../support/whole-product.js';

/** On the servers that operators have: the same product, by another URL. */
describe('the whole product', () => {
  after(assertNothingLeft);

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

  it('runs on a cluster of three, and on, when the node of its slot was killed', async () => {
    await on(await startRedisCluster(), async (product, { nodes }) => {
      await product.exercise();
      const holders = await Promise.all(nodes.map(async (node) => ({ node, keys: await keysOn(node) })));
      const [holder, ...more] = holders.filter(({ keys }) => keys.length > 0);
      assert.ok(holder && more.length === 0, 'one node has all of it');
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

  it('runs behind sentinels, and on, when they have made the replica the master', async () => {
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

async function keysOn({ redis }: RedisNode): Promise<string[]> {
  return redis.keys('*');
}
