import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Redis } from 'ioredis';
import type { Status } from '../../src/contract/status.js';
import { makeKeys, type ScopeKeys } from '../support/keyed-replica.js';
import { watchLease } from '../support/lease-watch.js';
import type { Product } from '../support/product.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { Stage } from '../support/stage.js';
import type { AttackOrder } from './attacker.js';
import type { AttackName } from './attacks.js';
import type { OwnerReport } from './owner.js';
import { ProductMemory } from './product-memory.js';

/** What was observed of the product while work went on. */
export interface Observation extends OwnerReport {
  readonly memoryMb: number;
  readonly redisPeakMb: number;
  readonly leaseMs: number;
  readonly renewIntervalMs: number;
}

/** The product in the role `all` with a linked account, a replica with API keys, and one with the usual rate limits. */
export class Target {
  readonly stage: Stage;
  readonly redis: RedisServer;
  readonly product: Product;
  readonly keys: ScopeKeys = makeKeys();
  /** A replica without keys and with the usual rate limits. */
  readonly limited: Product;
  readonly keyed: Product;

  static async open(): Promise<Target> {
    const stage = await Stage.open();
    const target = new Target(stage, await startRedis({ appendOnly: false }));
    const { product } = target;
    await product.post('/api/auth/start');
    await stage.whatsApp.phone.scanCurrent();
    await product.until((status) => status.ready, 'ready after the scan');
    await product.loginSettled();
    return target;
  }

  private constructor(stage: Stage, redis: RedisServer) {
    this.stage = stage;
    this.redis = redis;
    // The shipped timing: that of the tests would hide what is late.
    const usual = { REDIS_URL: redis.url, WHATSAPP_TIMING: '{}' };
    // No rate limit: the bounds must hold alone, because attackers have many addresses and keys.
    this.product = stage.start('all', { ...usual, WHATSAPP_RATE_LIMIT: '0' });
    this.limited = stage.start('http', usual);
    this.keyed = stage.start('http', { ...usual, ...this.keys.environment });
  }

  /** Waits for `ready`, so that the effect of one attack does not count for the next. Resolves to the life of the session. */
  async recovered(): Promise<string> {
    const isReady = ({ ready }: Status) => ready;
    const { epoch, incarnation } = await this.product.until(isReady, 'ready before the next attack', 90_000);
    return `${epoch}.${incarnation}`;
  }

  /** Observes the product while `work` runs. */
  async watch<T>(work: () => Promise<T>): Promise<{ observed: Observation; result: T }> {
    const port = await portOf(this.product);
    const owner = new Worker(new URL('./owner.js', import.meta.url), { workerData: { port } });
    const memory = new ProductMemory(this.product.pid);
    const lease = watchLease(this.redis.url);
    await this.#redisCommand((redis) => redis.config('RESETSTAT'));
    try {
      const result = await work();
      const reported = once(owner, 'message') as Promise<[OwnerReport]>;
      owner.postMessage('end');
      const [report] = await reported;
      const { oldestMs, renewIntervalMs } = await lease.stop();
      const info = await this.#redisCommand((redis) => redis.info('memory'));
      const redisPeakMb = Math.round(Number(/used_memory_peak:(\d+)/.exec(info)?.[1]) / 1e6);
      const observed = {
        ...report,
        memoryMb: memory.stop(),
        redisPeakMb,
        leaseMs: oldestMs,
        renewIntervalMs,
      };
      return { observed, result };
    } finally {
      memory.stop();
      await owner.terminate();
    }
  }

  async attack(name: AttackName, forMs: number): Promise<string> {
    const order: AttackOrder = { name, port: await portOf(this.product), forMs };
    const attacker = new Worker(new URL('./attacker.js', import.meta.url), { workerData: order });
    try {
      const [seen] = (await once(attacker, 'message')) as [string];
      return seen;
    } finally {
      await attacker.terminate();
    }
  }

  async close(): Promise<void> {
    await this.stage.close();
    await this.redis.stop();
  }

  async #redisCommand<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(this.redis.url);
    try {
      return await work(redis);
    } finally {
      redis.disconnect();
    }
  }
}

async function portOf(product: Product): Promise<number> {
  return Number(new URL(await product.url()).port);
}
