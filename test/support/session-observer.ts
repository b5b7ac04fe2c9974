import type { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { intentChannel, sessionKeys } from '../../src/contract/keys.js';
import { defaultSession, sessionsQueue } from '../../src/contract/names.js';
import { formatFence, type Status } from '../../src/contract/status.js';
import { openQueue } from '../../src/platform/queues/job-queue.js';
import { startJobOptions } from '../../src/platform/queues/start-queue.js';
import { requestEnd } from '../../src/platform/store/intent-store.js';
import { parseStatus } from '../../src/platform/store/state-store.js';
import { eventually } from './eventually.js';

/** One moment of a session as Redis has it. */
export interface StoredSession {
  readonly status: Status | null;
  readonly fence: string | null;
  readonly heartbeat: string | null;
  readonly intent: string | null;
  readonly outcome: string | null;
  readonly lockPttl: number;
  readonly jobExists: boolean;
}

/** A session seen and asked for through Redis alone, by a connection that no fault touches. */
export class SessionObserver {
  readonly redis: Redis;
  readonly session: string;
  readonly #queue: Queue;

  constructor(redisUrl: string, session: string = defaultSession) {
    this.session = session;
    this.redis = new Redis(redisUrl, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
    this.redis.on('error', () => undefined);
    this.#queue = openQueue(sessionsQueue, this.redis);
  }

  async start(): Promise<void> {
    const { name, data, options } = startJobOptions(this.session);
    await this.#queue.add(name, data, options);
  }

  /** Records how the run shall end and tells its owner; the id to look for in the outcome. */
  async requestEnd(kind: 'stop' | 'logout', id = `${kind}-${performance.now()}`): Promise<string> {
    const standing = await requestEnd(this.redis, this.session, { id, kind });
    await this.redis.publish(intentChannel, this.session);
    return standing.id;
  }

  async look(): Promise<StoredSession> {
    const k = sessionKeys(this.session);
    const [state, fence, heartbeat, intent, outcome] = await this.redis.mget(
      ...[k.state, k.fence, k.heartbeat, k.intent, k.outcome],
    );
    const [lockPttl, jobExists] = await Promise.all([this.redis.pttl(k.lock), this.redis.exists(k.job)]);
    return {
      status: parseStatus(state ?? null),
      fence: fence ?? null,
      heartbeat: heartbeat ?? null,
      intent: intent ?? null,
      outcome: outcome ?? null,
      lockPttl,
      jobExists: jobExists === 1,
    };
  }

  /** The status once somebody stands behind it and it is as wanted. */
  until(wanted: (status: Status) => boolean, message: string, timeoutMs = 60_000): Promise<Status> {
    return this.#untilStored(
      ({ status, heartbeat, fence }) =>
        status !== null && heartbeat === 'live' && fence === formatFence(status) && wanted(status),
      message,
      timeoutMs,
    );
  }

  untilReady(message = 'the session is ready', timeoutMs?: number): Promise<Status> {
    return this.until(({ ready }) => ready, message, timeoutMs);
  }

  /** The last status of a run that has ended for good: marked so, and its job gone. */
  untilEnded(message = 'the run has ended', timeoutMs = 60_000): Promise<Status> {
    return this.#untilStored(
      ({ heartbeat, jobExists, lockPttl }) => heartbeat === 'ended' && !jobExists && lockPttl === -2,
      message,
      timeoutMs,
    );
  }

  async #untilStored(
    wanted: (stored: StoredSession) => boolean,
    message: string,
    timeoutMs: number,
  ): Promise<Status> {
    let last: StoredSession | undefined;
    try {
      return (await eventually(
        async () => {
          last = await this.look();
          return wanted(last) ? last.status : null;
        },
        { timeoutMs },
      )) as Status;
    } catch (cause) {
      throw new Error(`${message}: not within ${timeoutMs / 1000} s; last seen ${JSON.stringify(last)}`, {
        cause,
      });
    }
  }

  async close(): Promise<void> {
    await this.#queue.close();
    this.redis.disconnect();
  }
}
