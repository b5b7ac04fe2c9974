import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Status } from '../../../src/contract/status.js';
import type { FaultStage } from './fault-row.js';

/** One answer of `GET /api/status`, with what ran when it was requested. */
export interface Sample {
  /** When the answer was complete; ms, monotonic. */
  readonly at: number;
  readonly tookMs: number;
  readonly code: number;
  /** null: the answer was an error, whose code is `error`. */
  readonly status: Status | null;
  readonly error: string | null;
  readonly browsers: number;
  readonly acting: number | null;
}

type Watched = Pick<FaultStage, 'replica' | 'redis' | 'browsersAlive' | 'countIntervalMs' | 'acting'>;

const intervalMs = 100;

/** Requests the status several times a second, and counts browsers and acting pages. */
export class StatusSampler {
  readonly samples: Sample[] = [];
  mostBrowsers = 0;
  mostActing = 0;
  /** How late this process's timer fired at worst, ms: a measure of how busy the machine is. */
  latestMs = 0;
  /** The slowest answer of Redis itself, ms. */
  redisLatestMs = 0;
  readonly #stage: Watched;
  readonly #countTimer: NodeJS.Timeout;
  readonly #wakeTimer: NodeJS.Timeout;
  readonly #sampling: Promise<void>;
  readonly #redis: Redis;
  #alive = 0;
  #wokeAt = performance.now();
  #isOver = false;

  constructor(stage: Watched) {
    this.#stage = stage;
    this.#count();
    this.#countTimer = setInterval(() => this.#count(), stage.countIntervalMs);
    this.#wakeTimer = setInterval(() => this.#wake(), intervalMs);
    this.#sampling = this.#sample();
    this.#redis = new Redis(stage.redis.url, { maxRetriesPerRequest: null, retryStrategy: () => intervalMs });
    this.#redis.on('error', () => undefined);
    void this.#pingRedis();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#countTimer);
    clearInterval(this.#wakeTimer);
    await this.#sampling;
    // This does not settle a PING that waits for Redis to come back.
    this.#redis.disconnect();
  }

  #count(): void {
    this.#alive = this.#stage.browsersAlive();
    this.mostBrowsers = Math.max(this.mostBrowsers, this.#alive);
  }

  #wake(): void {
    const now = performance.now();
    this.latestMs = Math.max(this.latestMs, now - this.#wokeAt - intervalMs);
    this.#wokeAt = now;
  }

  async #pingRedis(): Promise<void> {
    while (!this.#isOver) {
      const askedAt = performance.now();
      await this.#redis.ping().catch(() => undefined);
      this.redisLatestMs = Math.max(this.redisLatestMs, performance.now() - askedAt);
      await sleep(intervalMs);
    }
  }

  async #sample(): Promise<void> {
    while (!this.#isOver) {
      const browsers = this.#alive;
      const acting = await this.#stage.acting();
      this.mostActing = Math.max(this.mostActing, acting?.most ?? 0);
      const askedAt = performance.now();
      const answer = await this.#stage.replica.get('/api/status');
      const body = (await answer.json()) as Status & { error?: { code: string } };
      const at = performance.now();
      this.samples.push({
        at,
        tookMs: at - askedAt,
        code: answer.status,
        status: answer.status === 200 ? body : null,
        error: body.error?.code ?? null,
        browsers,
        acting: acting?.now ?? null,
      });
      await sleep(intervalMs);
    }
  }
}
