import type { Status } from '../../src/contract/status.js';
import type { Timing } from '../../src/contract/timing.js';
import type { FeedTuning } from '../../src/http/events/feed-tuning.js';
import { type HttpServer, startHttp } from '../../src/http/server.js';
import { loadConfig } from '../../src/platform/config/config.js';
import { assertDocumented } from './documented-answers.js';
import { eventually } from './eventually.js';
import { logTo } from './log-lines.js';

/** One HTTP replica in this process, and its log. */
export interface Replica extends HttpServer {
  readonly logLines: Record<string, unknown>[];
  /** Fails if the OpenAPI document does not know the answer. */
  get(path: string, init?: RequestInit): Promise<Response>;
  post(path: string, init?: RequestInit): Promise<Response>;
  status(): Promise<Status>;
}

export interface ReplicaOptions {
  readonly environment?: Record<string, string>;
  readonly timing?: Partial<Timing>;
  readonly feedTuning?: Partial<FeedTuning>;
  /** Does not wait for Redis, which is down. */
  readonly isWithoutRedis?: boolean;
}

/**
 * A command to a frozen Redis fails after this, and its connection is closed after three times this. A shorter time
 * would fail tests: a process that does not run for some seconds would take a healthy Redis for a frozen one.
 */
export const outageTiming = { httpCommandTimeoutMs: 3_500 };
/** An answer within this did not wait until a frozen connection was closed. */
export const soonMs = 10_400;

/** A busy process may see an answer of Redis late. Only tests of outages need a short timeout. */
const testReplicaTiming = { httpCommandTimeoutMs: 10_000 };

export async function startReplica(redisUrl: string, options: ReplicaOptions = {}): Promise<Replica> {
  const config = loadConfig('http', {
    REDIS_URL: redisUrl,
    WHATSAPP_MCP_PORT: '0',
    WHATSAPP_AUTH_DIR: '/srv/holdline/auth',
    // No limit on requests: the rate limits have their own tests.
    WHATSAPP_RATE_LIMIT: '0',
    WHATSAPP_TIMING: JSON.stringify({ ...testReplicaTiming, ...options.timing }),
    ...options.environment,
  });
  const logLines: Record<string, unknown>[] = [];
  const log = logTo(logLines);
  const server = await startHttp({ config, redisUrl, log, feedTuning: options.feedTuning ?? {} });
  const get = async (path: string, init?: RequestInit) => {
    const response = await fetch(server.url + path, { signal: AbortSignal.timeout(60_000), ...init });
    if (response.url === server.url + path) await assertDocumented(path, init?.method ?? 'GET', response);
    return response;
  };
  if (options.isWithoutRedis !== true) {
    await eventually(async () => (await get('/readyz')).ok, { message: 'the replica reaches Redis' });
  }
  return {
    ...server,
    logLines,
    get,
    post: (path, init) => get(path, { method: 'POST', ...init }),
    status: async () => (await (await get('/api/status')).json()) as Status,
  };
}
