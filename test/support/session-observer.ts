import type { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { intentChannel, sessionKeys } from '../../src/contract/keys.js';
import { defaultSession, sessionsQueue } from '../../src/contract/names.js';
import { unconfigured } from '../../src/contract/session-record.js';
import { formatFence, type Status } from '../../src/contract/status.js';
import { openQueue } from '../../src/platform/queues/job-queue.js';
import { startJobOptions } from '../../src/platform/queues/start-queue.js';
import { requestEnd } from '../../src/platform/store/intent-store.js';
import { registerIfMissing } from '../../src/platform/store/session-register.js';
import { parseStatus } from '../../src/platform/store/state-store.js';
import { eventually } from './eventually.js';

/** What Redis stores of a session at one moment. */
export interface StoredSession {
  readonly status: Status | null;
  readonly fence: string | null;
  readonly heartbeat: string | null;
  readonly intent: string | null;
  readonly outcome: string | null;
  readonly lockPttl: number;
  readonly jobExists: boolean;
}

/** Reads and commands a session over Redis only, on a connection that no fault affects. */
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
    await registerIfMissing(this.redis, this.session, unconfigured);
    await this.addStart();
  }

  /** Starts it although it may not be registered. */
  async addStart(): Promise<void> {
    const { name, data, options } = startJobOptions(this.session);
    await this.#queue.add(name, data, options);
  }

  /** Stores an intent to end the run and notifies its owner. Resolves to the id that the outcome will have. */
  async requestEnd(kind: 'stop' | 'logout', id = `${kind}-${performance.now()}`): Promise<string> {
    const stored = await requestEnd(this.redis, this.session, { id, kind });
    await this.redis.publish(intentChannel, this.session);
    return stored.id;
  }

  async read(): Promise<StoredSession> {
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

  /** Waits for a status that is as wanted, with a live heartbeat and a matching fence. */
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

  /** Waits until the run has ended for good: heartbeat `ended`, no job, no lock. Resolves to its last status. */
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
          last = await this.read();
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
