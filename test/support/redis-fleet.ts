import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis, type RedisOptions } from 'ioredis';
import { dieWithThisProcess } from './die-with-this-process.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { scratchDir } from './leftovers.js';

/** A redis-server with the test's settings. Its directory is removed with those of the test file. */
export interface RedisNode {
  readonly port: number;
  readonly pid: number;
  /** The test's connection; closed with the node. */
  readonly redis: Redis;
  kill(): Promise<void>;
  /** Starts it again in its directory. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

interface NodeOptions {
  /** Lines of redis.conf besides port and directory. */
  readonly settings?: readonly string[];
  readonly connection?: RedisOptions;
  readonly isSentinel?: boolean;
  /** The line of redis.conf that sets the port, for a server with TLS only. */
  readonly portSetting?: (port: number) => string;
}

export async function startRedisNode(options: NodeOptions = {}): Promise<RedisNode> {
  const { settings = [], connection = {}, isSentinel = false } = options;
  const port = await freePort();
  const dir = join(scratchDir(), 'redis');
  const config = join(dir, 'redis.conf');
  mkdirSync(dir);
  const portLine = options.portSetting?.(port) ?? `port ${port}`;
  writeFileSync(config, [portLine, 'bind 127.0.0.1', `dir ${dir}`, 'save ""', ...settings, ''].join('\n'));
  const redis = new Redis({ host: '127.0.0.1', port, retryStrategy: () => 50, ...connection });
  redis.on('error', () => undefined);
  let child = await start();

  async function start(): Promise<ChildProcess> {
    const args = isSentinel ? [config, '--sentinel'] : [config];
    const started = spawn('redis-server', args, { stdio: 'ignore' });
    await once(started, 'spawn');
    dieWithThisProcess(started, 'KILL');
    await eventually(
      () => {
        if (started.exitCode !== null) throw new Error(`redis-server exited with ${started.exitCode}`);
        return redis.status === 'ready' && started.pid !== undefined;
      },
      { message: 'redis-server answers', timeoutMs: 20_000 },
    );
    return started;
  }

  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  return {
    port,
    redis,
    get pid() {
      return child.pid as number;
    },
    kill,
    async restart() {
      await kill();
      await eventually(() => redis.status !== 'ready');
      child = await start();
    },
    async close() {
      redis.disconnect();
      await kill();
    },
  };
}

export interface RedisFleet {
  readonly url: string;
  readonly nodes: readonly RedisNode[];
  close(): Promise<void>;
}

/** Three masters that share the slots. */
export async function startRedisCluster(): Promise<RedisFleet> {
  const nodes = await Promise.all(
    [0, 1, 2].map(async () =>
      startRedisNode({
        settings: [
          ...['cluster-enabled yes', 'cluster-node-timeout 2000', 'appendonly yes', 'appendfsync no'],
          `cluster-port ${await freePort()}`,
        ],
      }),
    ),
  );
  const slots = [
    [0, 5_460],
    [5_461, 10_922],
    [10_923, 16_383],
  ] as const;
  for (const [i, { redis }] of nodes.entries()) {
    const [from = 0, to = 0] = slots[i] ?? [];
    await redis.cluster('ADDSLOTSRANGE', from, to);
    const busPorts = await Promise.all(
      nodes.map(async (node) => (await node.redis.config('GET', 'cluster-port')) as string[]),
    );
    for (const [j, { port }] of nodes.entries()) {
      await redis.call('CLUSTER', 'MEET', '127.0.0.1', port, busPorts[j]?.[1] ?? '');
    }
  }
  await eventually(
    async () => {
      const infos = await Promise.all(nodes.map(({ redis }) => redis.cluster('INFO') as Promise<string>));
      return infos.every((info) => /cluster_state:ok/.test(info) && /cluster_known_nodes:3/.test(info));
    },
    { timeoutMs: 30_000, message: 'the cluster is complete' },
  );
  const hosts = nodes.slice(0, 2).map(({ port }) => `127.0.0.1:${port}`);
  return fleet(`redis+cluster://${hosts.join(',')}`, nodes);
}

/** A master, its replica and three sentinels; the first two nodes are the servers, the master first. */
export async function startRedisSentinels(): Promise<RedisFleet> {
  const password = 'a-password';
  const own = [`requirepass ${password}`, `masterauth ${password}`];
  const connection = { password };
  const master = await startRedisNode({ settings: own, connection });
  const replica = await startRedisNode({
    settings: [...own, `replicaof 127.0.0.1 ${master.port}`],
    connection,
  });
  const sentinels = await Promise.all(
    [0, 1, 2].map(() =>
      startRedisNode({
        isSentinel: true,
        settings: [
          `sentinel monitor main 127.0.0.1 ${master.port} 2`,
          `sentinel auth-pass main ${password}`,
          'sentinel down-after-milliseconds main 2000',
          'sentinel failover-timeout main 5000',
        ],
        connection: { enableReadyCheck: false },
      }),
    ),
  );
  await eventually(
    async () => {
      for (const { redis } of sentinels) {
        const facts = (await redis.call('SENTINEL', 'MASTER', 'main')) as string[] | Record<string, string>;
        const text = JSON.stringify(facts);
        if (!/"num-other-sentinels"[,:]"2"/.test(text) || !/"num-slaves"[,:]"1"/.test(text)) return false;
      }
      return /master_link_status:up/.test(await replica.redis.info('replication'));
    },
    { timeoutMs: 40_000, message: 'the sentinels know each other' },
  );
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`);
  return fleet(`redis+sentinel://:${password}@${hosts.join(',')}/main`, [master, replica, ...sentinels]);
}

function fleet(url: string, nodes: readonly RedisNode[]): RedisFleet {
  return {
    url,
    nodes,
    async close() {
      await Promise.all(nodes.map((node) => node.close()));
    },
  };
}
