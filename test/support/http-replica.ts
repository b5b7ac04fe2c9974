import { Writable } from 'node:stream';
import { pino } from 'pino';
import type { Status } from '../../src/contract/status.js';
import type { Timing } from '../../src/contract/timing.js';
import type { FeedTuning } from '../../src/http/events/feed-tuning.js';
import { type HttpServer, startHttp } from '../../src/http/server.js';
import { loadConfig } from '../../src/platform/config.js';

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
}

export async function startReplica(redisUrl: string, options: ReplicaOptions = {}): Promise<Replica> {
  const config = loadConfig('http', {
    REDIS_URL: redisUrl,
    WHATSAPP_MCP_PORT: '0',
    WHATSAPP_AUTH_DIR: '/srv/holdline/auth',
    // Tests ask as often as they like; the limits have tests of their own.
    WHATSAPP_RATE_LIMIT: '0',
    WHATSAPP_TIMING: JSON.stringify(options.timing ?? {}),
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
  return {
    ...server,
    logLines,
    get,
    post: (path, init) => get(path, { method: 'POST', ...init }),
    status: async () => (await (await get('/api/status')).json()) as Status,
  };
}
