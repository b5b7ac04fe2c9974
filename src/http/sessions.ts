import type { OnBound } from '../contract/bounds.js';
import { defaultSession } from '../contract/names.js';
import type { Config } from '../platform/config/config.js';
import type { Logger } from '../platform/logger.js';
import { forgetSend } from '../platform/queues/send-cleanup.js';
import { connectPatiently, type Redis } from '../platform/redis/connection.js';
import { putPasskeyAnswer } from '../platform/store/passkey-answers.js';
import type { SessionCommandContext } from './commands/command-context.js';
import { createCommandQueues } from './commands/command-queues.js';
import { createJobReader } from './commands/job-reader.js';
import { InFlightLimit } from './core/in-flight.js';
import { viaRedis } from './core/redis-errors.js';
import { EventFeed, type FeedTuning } from './events/event-feed.js';
import { createQrPageCache } from './pages/qr-page-cache.js';
import { createQrPageReader, type QrPageView } from './session/qr-page-view.js';
import { createRunControl } from './session/run-control.js';
import { createRunQueue } from './session/run-queue.js';
import { createSessionReader, type SessionReader } from './session/session-reader.js';

/** Everything that requests can use of one session. */
export interface Session {
  readonly name: string;
  readonly reader: SessionReader;
  readonly commands: SessionCommandContext;
  readonly feed: EventFeed;
  readonly readQrPage: () => Promise<QrPageView>;
  readonly renderQrPage: ReturnType<typeof createQrPageCache>;
}

/** The sessions that this replica serves. */
export interface Sessions {
  get(name: string): Session;
  all(): readonly Session[];
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
  const readsUnderWay = new InFlightLimit('readsPerCaller', 'reads');

  function open(name: string): Session {
    const configured = { ...config, session: name };
    const reader = createSessionReader(redis, configured);
    const run = createRunControl({
      ...{ redis, queue: runQueue, configured, log, closing, background, onBound },
      timing: config.timing,
    });
    return {
      name,
      reader,
      commands: {
        run,
        queues: createCommandQueues({
          redis: queueRedis,
          session: name,
          sendQueueMax: config.sendQueueMax,
        }),
        jobs: createJobReader(redis, name),
        forgetSend: (id, timestamp) => viaRedis(() => forgetSend(redis, name, id, timestamp)),
        putPasskeyAnswer: (credential) => viaRedis(() => putPasskeyAnswer(redis, name, credential)),
        sendTtlMs: config.sendTtlS * 1_000,
        readsUnderWay,
        onBound,
      },
      feed: new EventFeed({
        ...{ redis, reader, log, onBound },
        connect: () => connectPatiently(redisUrl, config.timing, redisLog),
        session: name,
        blockMs: config.timing.drainDelayMs,
        tuning: feedTuning,
      }),
      readQrPage: createQrPageReader(reader, run),
      renderQrPage: createQrPageCache(),
    };
  }

  const served = new Map([[defaultSession, open(defaultSession)]]);
  return {
    get(name) {
      const session = served.get(name);
      if (session === undefined) throw new Error(`no route names the session ${name}`);
      return session;
    },
    all: () => [...served.values()],
    async close() {
      await Promise.all([...served.values()].map(({ feed }) => feed.close()));
      await Promise.all([
        runQueue.close(),
        ...[...served.values()].map(({ commands }) => commands.queues.close()),
      ]);
    },
  };
}
