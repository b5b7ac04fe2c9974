import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { ListenOptions } from 'node:net';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { eventually } from '../../../support/eventually.js';
import { type FaultProxy, startFaultProxy } from '../../../support/fault-proxy.js';
import { freePort } from '../../../support/free-port.js';
import { assertNothingLeft, scratchDir } from '../../../support/leftovers.js';
import { Product } from '../../../support/product.js';
import { type RedisNode, startRedisNode } from '../../../support/redis-fleet.js';
import { bulk, noHello, startScriptedRedis } from '../../../support/scripted-redis.js';
import { WholeProduct } from '../../../support/whole-product.js';

/**
 * After a failover behind one address, new connections reach the new master. Existing connections stay with the old one,
 * which answers reads and refuses writes.
 */
describe('a failover behind one address', () => {
  after(assertNothingLeft);

  interface Pair {
    readonly url: string;
    readonly proxy: FaultProxy;
    readonly master: RedisNode;
    readonly replica: RedisNode;
    close(): Promise<void>;
  }

  type NodeOptions = Parameters<typeof startRedisNode>[0];

  async function startPair(options: NodeOptions, urlOf: (port: number) => string): Promise<Pair> {
    const port = await freePort();
    return pairAt({ port, host: '127.0.0.1' }, urlOf(port), options);
  }

  async function pairAt(place: ListenOptions, url: string, options: NodeOptions = {}): Promise<Pair> {
    const master = await startRedisNode(options);
    const replica = await startRedisNode({
      ...options,
      settings: [...(options?.settings ?? []), `replicaof 127.0.0.1 ${master.port}`],
    });
    const proxy = await startFaultProxy(master.port, { place });
    return {
      ...{ url, proxy, master, replica },
      async close() {
        await proxy.close();
        await Promise.all([master.close(), replica.close()]);
      },
    };
  }

  /** A sentinel that always names this address as the master. */
  async function behindASentinel(): Promise<Pair> {
    const port = await freePort();
    const sentinel = await startScriptedRedis(([, question]) => {
      if (question === 'get-master-addr-by-name') return `*2\r\n${bulk('127.0.0.1')}${bulk(String(port))}`;
      return question === 'sentinels' ? '*0\r\n' : noHello;
    });
    const pair = await pairAt(
      { port, host: '127.0.0.1' },
      `redis+sentinel://127.0.0.1:${sentinel.port}/main`,
    );
    return {
      ...pair,
      async close() {
        await pair.close();
        await sentinel.close();
      },
    };
  }

  async function withTls(): Promise<Pair> {
    const file = (name: string) => join(import.meta.dirname, '../../../../../test/support/redis-tls', name);
    const files = { ca: file('ca.pem'), cert: file('client.pem'), key: file('client-key.pem') };
    const tls = Object.fromEntries(Object.entries(files).map(([name, path]) => [name, readFileSync(path)]));
    const options: NodeOptions = {
      portSetting: (port) => `port 0\ntls-port ${port}`,
      settings: [
        ...[`tls-cert-file ${file('server.pem')}`, `tls-key-file ${file('server-key.pem')}`],
        ...[`tls-ca-cert-file ${files.ca}`, 'tls-auth-clients optional', 'tls-replication yes'],
      ],
      connection: { tls },
    };
    return startPair(options, (port) => `rediss://127.0.0.1:${port}?${new URLSearchParams(files)}`);
  }

  /** Two cluster nodes that announce the same address. */
  async function inACluster(): Promise<Pair> {
    const port = await freePort();
    const nodes: RedisNode[] = [];
    for (let n = 0; n < 2; n++) {
      const busPort = await freePort();
      const settings = [
        ...['cluster-enabled yes', 'cluster-node-timeout 2000', `cluster-port ${busPort}`],
        ...['cluster-announce-ip 127.0.0.1', `cluster-announce-port ${port}`],
        `cluster-announce-bus-port ${busPort}`,
      ];
      nodes.push(await startRedisNode({ settings }));
    }
    const [master, replica] = nodes as [RedisNode, RedisNode];
    const proxy = await startFaultProxy(master.port, { place: { port, host: '127.0.0.1' } });
    await master.redis.cluster('ADDSLOTSRANGE', 0, 16_383);
    const [, busPort = ''] = (await master.redis.config('GET', 'cluster-port')) as string[];
    await replica.redis.call('CLUSTER', 'MEET', '127.0.0.1', master.port, busPort);
    const id = (await master.redis.cluster('MYID')) as string;
    await eventually(() => replica.redis.cluster('REPLICATE', id).then(() => true));
    return {
      ...{ url: `redis+cluster://127.0.0.1:${port}`, proxy, master, replica },
      async close() {
        await proxy.close();
        await Promise.all(nodes.map((node) => node.close()));
      },
    };
  }

  const isInStep = async ({ master, replica }: Pair) => {
    const [there, here] = await Promise.all([master, replica].map(({ redis }) => redis.dbsize()));
    return there === here && /master_link_status:up/.test(await replica.redis.info('replication'));
  };

  /** Makes the old master a replica of the new one or, if cut off, of nothing. */
  async function failOver({ proxy, master, replica }: Pair, isCutOff: boolean): Promise<void> {
    await replica.redis.call('REPLICAOF', 'NO', 'ONE');
    proxy.leadTo(replica.port);
    await master.redis.call('REPLICAOF', '127.0.0.1', isCutOff ? 1 : replica.port);
  }

  async function failOverTheCluster({ proxy, replica }: Pair): Promise<void> {
    await replica.redis.call('CLUSTER', 'FAILOVER');
    await eventually(async () => /role:master/.test(await replica.redis.info('replication')));
    proxy.leadTo(replica.port);
  }

  /** Fails over while the whole product runs, beside an API replica whose callers only read. */
  async function survives(pair: Pair, failOverNow: () => Promise<void>): Promise<void> {
    const product = await WholeProduct.start(pair.url);
    const reader = new Product('http', { REDIS_URL: pair.url });
    try {
      await product.exercise();
      const before = await product.untilReady();
      await reader.until((status) => status.ready, 'the reader sees it');
      await eventually(() => isInStep(pair), { message: 'the replica has all of it' });
      await failOverNow();
      await product.untilReady(before);
      await product.sendUntilTaken('two');
      await eventually(async () => (await reader.status()).ready, { message: 'the reader sees it again' });
      await eventually(() => product.end().then(() => true), { message: 'it is stopped' });
      await eventually(async () => (await reader.status()).state === 'stopped', {
        message: 'the reader reads from the new master',
      });
    } finally {
      await reader.end('SIGTERM');
      await product.close();
      await pair.close();
    }
  }

  const kinds: Record<string, () => Promise<Pair>> = {
    'redis://': () => startPair({}, (port) => `redis://127.0.0.1:${port}`),
    'rediss://': withTls,
    'unix:': async () => {
      const path = join(scratchDir(), 'redis.sock');
      return pairAt({ path }, `unix://${path}`);
    },
    'redis+sentinel://': behindASentinel,
  };
  for (const [kind, start] of Object.entries(kinds)) {
    it(`is survived with ${kind} when the old master is cut off and answers old data`, async () => {
      const pair = await start();
      await survives(pair, () => failOver(pair, true));
    });
  }

  it('is survived with redis:// when the old master follows the new one', async () => {
    const pair = await startPair({}, (port) => `redis://127.0.0.1:${port}`);
    await survives(pair, () => failOver(pair, false));
  });

  it('is survived with redis+cluster://', async () => {
    const pair = await inACluster();
    await survives(pair, () => failOverTheCluster(pair));
  });

  it('makes each connection look for the new master at most once a second', async () => {
    const pair = await startPair({}, (port) => `redis://127.0.0.1:${port}`);
    const reader = new Product('http', { REDIS_URL: pair.url });
    try {
      assert.equal((await reader.get('/readyz')).status, 200);
      await pair.master.redis.call('REPLICAOF', '127.0.0.1', 1);
      await eventually(async () => (await reader.probe('/readyz')).status === 503);
      const connectionCount = pair.proxy.made;
      const startedAt = performance.now();
      const rounds = 3;
      await eventually(() => pair.proxy.made >= connectionCount * rounds, { timeoutMs: 60_000 });
      const seconds = (performance.now() - startedAt) / 1_000;
      assert.ok(seconds > rounds - 2, `${pair.proxy.made - connectionCount} connections in ${seconds} s`);
      assert.equal((await reader.probe('/api/status')).status, 503);
      const lines = reader.output.split('\n').filter((line) => line.includes('it is a replica'));
      assert.ok(lines.length <= 3, lines.join('\n'));
      await pair.master.redis.call('REPLICAOF', 'NO', 'ONE');
      await eventually(async () => (await reader.probe('/readyz')).status === 200);
    } finally {
      await reader.end('SIGTERM');
      await pair.close();
    }
  });
});
