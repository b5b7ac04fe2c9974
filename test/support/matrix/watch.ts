import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Status } from '../../../src/contract/status.js';
import type { FaultStage } from './fault-row.js';

/** One answer of `GET /api/status`, and what was true when it was asked. */
export interface Sighting {
  /** ms, monotonic; when the answer was complete. */
  readonly at: number;
  readonly tookMs: number;
  readonly code: number;
  /** null where the answer was an error, whose code is `error`. */
  readonly status: Status | null;
  readonly error: string | null;
  readonly browsers: number;
  readonly acting: number | null;
}

type Watched = Pick<FaultStage, 'replica' | 'redis' | 'browsersAlive' | 'countIntervalMs' | 'acting'>;

const intervalMs = 100;

/** Looks at the session over HTTP, several times a second, and counts what acts for it. */
export class Watch {
  readonly sightings: Sighting[] = [];
  mostBrowsers = 0;
  mostActing = 0;
  /** How much too late this process woke at worst, ms: so busy is the machine. */
  latestMs = 0;
  /** How long Redis itself took to answer at worst, ms. */
  redisLatestMs = 0;
  readonly #stage: Watched;
  readonly #counting: NodeJS.Timeout;
  readonly #waking: NodeJS.Timeout;
  readonly #looking: Promise<void>;
  readonly #redis: Redis;
  #alive = 0;
  #wokeAt = performance.now();
  #isOver = false;

  constructor(stage: Watched) {
    this.#stage = stage;
    this.#count();
    this.#counting = setInterval(() => this.#count(), stage.countIntervalMs);
    this.#waking = setInterval(() => this.#wake(), intervalMs);
    this.#looking = this.#look();
    this.#redis = new Redis(stage.redis.url, { maxRetriesPerRequest: null, retryStrategy: () => intervalMs });
    this.#redis.on('error', () => undefined);
    void this.#askRedis();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#counting);
    clearInterval(this.#waking);
    await this.#looking;
    // A question that waits for Redis to come back is not settled by this.
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

  async #askRedis(): Promise<void> {
    while (!this.#isOver) {
      const askedAt = performance.now();
      await this.#redis.ping().catch(() => undefined);
      this.redisLatestMs = Math.max(this.redisLatestMs, performance.now() - askedAt);
      await sleep(intervalMs);
    }
  }

  async #look(): Promise<void> {
    while (!this.#isOver) {
      const browsers = this.#alive;
      const acting = await this.#stage.acting();
      this.mostActing = Math.max(this.mostActing, acting?.most ?? 0);
      const askedAt = performance.now();
      const answer = await this.#stage.replica.get('/api/status');
      const body = (await answer.json()) as Status & { error?: { code: string } };
      const at = performance.now();
      this.sightings.push({
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
