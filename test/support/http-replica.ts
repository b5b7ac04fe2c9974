import { Writable } from 'node:stream';
import { pino } from 'pino';
import type { Status } from '../../src/contract/status.js';
import type { Timing } from '../../src/contract/timing.js';
import type { FeedTuning } from '../../src/http/events/event-feed.js';
import { type HttpServer, startHttp } from '../../src/http/server.js';
import { loadConfig } from '../../src/platform/config/config.js';
import { eventually } from './eventually.js';

/** One HTTP replica in this process, with what it logs. */
export interface Replica extends HttpServer {
  readonly logLines: Record<string, unknown>[];
  get(path: string, init?: RequestInit): Promise<Response>;
  post(path: string, init?: RequestInit): Promise<Response>;
  status(): Promise<Status>;
}

export interface ReplicaOptions {
  readonly environment?: Record<string, string>;
  readonly timing?: Partial<Timing>;
  readonly feedTuning?: Partial<FeedTuning>;
  /** Redis is away, and the replica is to be had all the same. */
  readonly isWithoutRedis?: boolean;
}

/**
 * A Redis that is frozen is given up after this, and its connections after three times that. No less: a process that is
 * kept from running for some seconds would take a Redis that is well for one that is frozen.
 */
export const outageTiming = { httpCommandTimeoutMs: 3_500 };
/** What took less did not wait for a frozen connection to be given up. */
export const soonMs = 10_400;

/** In a process that is kept busy, an answer of Redis may be seen late; only tests of outages want that noticed. */
const patientTiming = { httpCommandTimeoutMs: 10_000 };

export async function startReplica(redisUrl: string, options: ReplicaOptions = {}): Promise<Replica> {
  const config = loadConfig('http', {
    REDIS_URL: redisUrl,
    WHATSAPP_MCP_PORT: '0',
    WHATSAPP_AUTH_DIR: '/srv/holdline/auth',
    // Tests ask as often as they like; the limits have tests of their own.
    WHATSAPP_RATE_LIMIT: '0',
    WHATSAPP_TIMING: JSON.stringify({ ...patientTiming, ...options.timing }),
    ...options.environment,
  });
  const logLines: Record<string, unknown>[] = [];
  const log = pino(
    { level: 'debug' },
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        logLines.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
        done();
      },
    }),
  );
  const server = await startHttp({ config, redisUrl, log, feedTuning: options.feedTuning ?? {} });
  const get = (path: string, init?: RequestInit) =>
    fetch(server.url + path, { signal: AbortSignal.timeout(60_000), ...init });
  if (options.isWithoutRedis !== true) {
    await eventually(async () => (await get('/readyz')).ok, { message: 'the replica has its connections' });
  }
  return {
    ...server,
    logLines,
    get,
    post: (path, init) => get(path, { method: 'POST', ...init }),
    status: async () => (await (await get('/api/status')).json()) as Status,
  };
}
