import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { persistenceProblem, serverProblem } from '../../../../src/platform/redis/preflight.js';
import { eventually } from '../../../support/eventually.js';
import { assertNothingLeft } from '../../../support/leftovers.js';
import { Product } from '../../../support/product.js';
import { type RedisNode, startRedisNode } from '../../../support/redis-fleet.js';

const info = (version: string, policy: string) =>
  `# Server\r\nredis_version:${version}\r\nredis_mode:standalone\r\n# Memory\r\nmaxmemory_policy:${policy}\r\n`;

describe('an unsuitable Redis', () => {
  let node: RedisNode;

  before(async () => {
    node = await startRedisNode({ settings: ['maxmemory-policy allkeys-lru'] });
  });
  after(async () => {
    await node.close();
    await assertNothingLeft();
  });

  it('is recognized by INFO, and named with the remedy', () => {
    for (const version of ['2.8.24', '5.0.14', '6.0.16', '6.1.240']) {
      assert.match(
        serverProblem(info(version, 'noeviction')) ?? '',
        /^Redis [\d.]+ is too old: upgrade it to 6\.2/,
      );
    }
    for (const version of ['6.2.0', '6.2.14', '7.0.15', '7.2.4', '8.2.1', '10.0.0']) {
      assert.equal(serverProblem(info(version, 'noeviction')), null, version);
    }
    for (const policy of ['allkeys-lru', 'volatile-ttl', 'allkeys-random']) {
      assert.match(
        serverProblem(info('7.0.15', policy)) ?? '',
        new RegExp(`is ${policy}\\): set maxmemory-policy noeviction`),
      );
    }
    assert.equal(serverProblem(''), null, 'a server that does not say');
    assert.match(
      persistenceProblem('aof_enabled:0\r\n') ?? '',
      /loses everything since .*: set appendonly yes/,
    );
    assert.equal(persistenceProblem('aof_enabled:1\r\n'), null);
  });

  const environment = () => ({
    REDIS_URL: `redis://127.0.0.1:${node.port}`,
    WHATSAPP_CHROME_EXECUTABLE: process.execPath,
    WHATSAPP_PROBE_PORT: '0',
  });

  for (const role of ['http', 'supervisor', 'all'] as const) {
    it(`ends the role ${role} with one sentence and exit code 78`, async () => {
      const product = new Product(role, environment());
      await eventually(() => product.exitCode !== null, { timeoutMs: 30_000, message: 'it ends' });
      assert.equal(product.exitCode, 78, product.output);
      const said = product.output.split('\n').filter((line) => line.startsWith('holdline:'));
      assert.equal(said.length, 1, product.output);
      assert.match(said[0] ?? '', /maxmemory-policy is allkeys-lru\): set maxmemory-policy noeviction/);
    });
  }

  it('is refused when it starts later too; until then requests answer 503', async () => {
    await node.kill();
    const product = new Product('http', environment());
    assert.equal((await product.probe('/readyz')).status, 503);
    await node.restart();
    await eventually(() => product.exitCode !== null, { timeoutMs: 30_000, message: 'it ends' });
    assert.equal(product.exitCode, 78, product.output);
  });

  it('is only logged when it becomes unsuitable at run time', async () => {
    await node.redis.config('SET', 'maxmemory-policy', 'noeviction');
    const product = new Product('http', environment());
    try {
      await eventually(async () => (await product.probe('/readyz')).status === 200);
      await node.restart(); // with the policy of its configuration file
      await eventually(() => product.output.includes('set maxmemory-policy noeviction'), {
        timeoutMs: 20_000,
      });
      await eventually(async () => (await product.probe('/readyz')).status === 200);
      assert.equal(product.exitCode, null);
      const timesSaid = (sentence: string) => product.output.split(sentence).length - 1;
      assert.equal(timesSaid('set appendonly yes'), 1, product.output);
      // A restart may be over before any connection tries again.
      assert.ok(timesSaid('Redis is not reachable') <= 1, product.output);
      assert.equal(
        timesSaid('Redis is reachable again'),
        timesSaid('Redis is not reachable'),
        product.output,
      );
    } finally {
      assert.equal(await product.end('SIGTERM'), 0);
    }
  });

  it('does not keep a waiting product from a stop', async () => {
    await node.kill();
    const product = new Product('supervisor', environment());
    await eventually(() => product.output.includes('Redis is not reachable'), { timeoutMs: 20_000 });
    assert.equal(await product.end('SIGTERM'), 0);
  });
});
