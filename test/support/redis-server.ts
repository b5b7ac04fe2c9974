import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { findsEngine, runRedisContainer } from './redis-container.js';
import { type RedisPaths, type RunningRedis, spawnRedis } from './redis-process.js';

/** A redis-server for one test, on a free loopback port and in its own directory. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  signal(name: NodeJS.Signals): void;
  /** Kills it, as a crash would. Without `appendOnly` its data are lost. */
  kill(): Promise<void>;
  /** Kills it and starts it again on the same port and directory. */
  restart(): Promise<void>;
  /** The same, but with all data removed. */
  restartEmpty(): Promise<void>;
  /** Ends it and removes its directory. */
  stop(): Promise<void>;
}

interface RedisOptions {
  readonly appendOnly?: boolean;
  readonly settings?: readonly string[];
  readonly isService?: boolean;
}

export async function startRedis({
  appendOnly = false,
  settings = [],
  isService = false,
}: RedisOptions = {}): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), 'holdline-redis-'));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  async function start(): Promise<RunningRedis> {
    const running = await launch({ port, directory, appendOnly, settings, isService });
    await untilItAnswers(url, running);
    return running;
  }
  let running = await start();

  return {
    url,
    port,
    get pid() {
      return running.pid;
    },
    signal: (name) => running.signal(name),
    kill: () => running.kill(),
    async restart() {
      await running.kill();
      running = await start();
    },
    async restartEmpty() {
      await running.kill();
      await rm(join(directory, 'appendonlydir'), { recursive: true, force: true });
      running = await start();
    },
    async stop() {
      await running.kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** In a container if a Docker engine answers, otherwise local. HOLDLINE_TEST_REDIS=docker|local overrides that. */
async function launch(place: RedisPaths): Promise<RunningRedis> {
  const wanted = process.env.HOLDLINE_TEST_REDIS;
  if (wanted === 'docker' || (wanted !== 'local' && (await findsEngine()))) return runRedisContainer(place);
  return spawnRedis(place);
}

async function untilItAnswers(url: string, running: RunningRedis): Promise<void> {
  const probe = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => 50 });
  probe.on('error', () => undefined);
  try {
    await eventually(
      async () => {
        if (running.hasEnded()) throw new Error('redis-server has ended');
        return (await probe.ping()) === 'PONG';
      },
      { message: 'redis-server answers' },
    );
  } finally {
    probe.disconnect();
  }
}
