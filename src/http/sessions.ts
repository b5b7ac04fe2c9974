import type { OnBound } from '../contract/bounds.js';
import { ApiError } from '../contract/errors.js';
import type { Config } from '../platform/config/config.js';
import type { Logger } from '../platform/logger.js';
import { forgetSend } from '../platform/queues/send-cleanup.js';
import { connectPatiently, type Redis } from '../platform/redis/connection.js';
import { acceptedPerS, SharedPace } from '../platform/session-pace.js';
import { putPasskeyAnswer } from '../platform/store/passkey-answers.js';
import { AcceptTurns } from './commands/accept-turns.js';
import type { SessionCommandContext } from './commands/command-context.js';
import { createCommandQueues } from './commands/command-queues.js';
import { createJobReader } from './commands/job-reader.js';
import { type Caller, mayReach } from './core/caller.js';
import { InFlightLimit } from './core/in-flight.js';
import { viaRedis } from './core/redis-errors.js';
import { EventFeed } from './events/event-feed.js';
import type { FeedTuning } from './events/feed-tuning.js';
import { placeOfSession } from './pages/place.js';
import { createQrPageCache } from './pages/qr-page-cache.js';
import type { StatusCaller } from './session/effective-status.js';
import { createQrPageReader, type QrPageView } from './session/qr-page-view.js';
import { createRunControl } from './session/run-control.js';
import { createRunQueue } from './session/run-queue.js';
import { createSessionReader, createStatusView, type SessionReader } from './session/session-reader.js';
import { createSessionRegister, type SessionRegister } from './session/session-register.js';

/** Everything that requests can use of one session. */
export interface Session {
  readonly name: string;
  readonly reader: SessionReader;
  readonly commands: SessionCommandContext;
  readonly readQrPage: (caller: StatusCaller) => Promise<QrPageView>;
  readonly renderQrPage: ReturnType<typeof createQrPageCache>;
}

/** All sessions of the deployment. */
export interface Sessions {
  readonly register: SessionRegister;
  readonly log: Logger;
  /** The events of all sessions. */
  readonly feed: EventFeed;
  /** The session of this name. Throws `session_not_found` if there is none for the caller, and `redis_unavailable`. */
  find(caller: Caller, name: string): Promise<Session>;
  /** Closes what is open of a session that has been deleted. */
  forget(name: string): void;
  close(): Promise<void>;
}

export interface SessionsParts {
  readonly config: Config;
  readonly redisUrl: string;
  /** The connection for reads and writes other than BullMQ's. */
  readonly redis: Redis;
  /** BullMQ's connection. The caller closes both. */
  readonly queueRedis: Redis;
  /** For further connections. */
  readonly redisLog: Logger;
  readonly log: Logger;
  readonly onBound: OnBound;
  /** Aborts when the server closes. */
  readonly closing: AbortSignal;
  /** Work that goes on after the response. */
  readonly background: Set<Promise<void>>;
  readonly feedTuning: Partial<FeedTuning> | undefined;
}

export function createSessions(parts: SessionsParts): Sessions {
  const { config, redisUrl, redis, queueRedis, redisLog, log, onBound, closing, background, feedTuning } =
    parts;
  const runQueue = createRunQueue(queueRedis);
  const pace = new SharedPace(acceptedPerS);
  const readsUnderWay = new InFlightLimit('readsPerCaller', 'reads');

  function open(name: string): Session {
    const queues = createCommandQueues({
      redis: queueRedis,
      session: name,
      sendQueueMax: config.sendQueueMax,
    });
    const configured = { ...config, session: name };
    const reader = createSessionReader(redis, configured);
    const run = createRunControl({
      ...{ redis, queue: runQueue, configured, log, closing, background, onBound },
      timing: config.timing,
    });
    const commands: SessionCommandContext = {
      ...{ run, queues, turns: new AcceptTurns(pace, closing) },
      jobs: createJobReader(redis, name),
      forgetSend: (id, timestamp) => viaRedis(() => forgetSend(redis, name, id, timestamp)),
      putPasskeyAnswer: (credential) => viaRedis(() => putPasskeyAnswer(redis, name, credential)),
      sendTtlMs: config.sendTtlS * 1_000,
      readsUnderWay,
      onBound,
    };
    return {
      ...{ name, reader, commands },
      readQrPage: createQrPageReader(reader, run),
      renderQrPage: createQrPageCache(placeOfSession(name)),
    };
  }

  const register = createSessionRegister(redis, config);
  const feed = new EventFeed({
    ...{ redis, log, onBound },
    connect: () => connectPatiently(redisUrl, config.timing, redisLog),
    statusViewOf: (session) => createStatusView({ ...config, session }),
    listSessions: register.names,
    blockMs: config.timing.drainDelayMs,
    tuning: feedTuning,
  });
  const served = new Map<string, Session>();
  function forget(name: string): void {
    const session = served.get(name);
    served.delete(name);
    session?.commands.queues
      .close()
      .catch((err: unknown) => log.debug({ session: name, err }, 'queues not closed'));
  }

  return {
    register,
    log,
    async find(caller, name) {
      try {
        await register.assertExist(caller, [name]);
      } catch (error) {
        // It may have been deleted at another replica.
        if (mayReach(caller, name) && error instanceof ApiError && error.code === 'session_not_found')
          forget(name);
        throw error;
      }
      const session = served.get(name) ?? open(name);
      served.set(name, session);
      return session;
    },
    feed,
    forget,
    async close() {
      await feed.close();
      await Promise.all([...served.values()].map(({ commands }) => commands.queues.close()));
      await runQueue.close();
    },
  };
}
