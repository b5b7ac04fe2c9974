import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { messageOf, OperatorError } from '../../contract/errors.js';
import type { ProbeAddress } from '../../platform/config/config.js';
import type { Logger } from '../../platform/logger.js';
import type { MetricsPage } from '../../platform/metrics/metrics-page.js';

/** What a probe port tells of a supervisor. */
export interface Probed {
  /** Sentences about what keeps it from taking or running a session; empty: it is ready. */
  problems(): Promise<readonly string[]>;
  readonly metrics: { readonly page: MetricsPage };
}

export interface ProbeServer {
  /** null: it was not wanted, or the default port is another's. */
  readonly port: number | null;
  stop(): Promise<void>;
}

const none: ProbeServer = { port: null, stop: () => Promise.resolve() };

/**
 * `/livez`, `/readyz` and `/metrics` of a supervisor, without keys: they hold no secret. Throws {@link OperatorError}
 * where somebody counts on an address that cannot be had; goes on without where it is only the default.
 */
export async function startProbeServer(
  { host, port, isGiven }: ProbeAddress,
  probed: Probed,
  log: Logger,
): Promise<ProbeServer> {
  if (port === 0) return none;
  const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    void answer(path, request.method === 'GET' || request.method === 'HEAD', response, probed).catch(
      (error) => {
        log.error({ err: error, path }, 'probe failed');
        if (response.headersSent) response.destroy();
        else sendError(response, 500, 'internal_error', 'something unexpected went wrong; see the log');
      },
    );
  });
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    const sentence = sentenceOf(cause, host, port);
    if (isGiven || !isInUse(cause)) throw new OperatorError(sentence, { cause });
    log.warn(`${sentence}; going on without probes and metrics of this supervisor`);
    return none;
  }
  // Such as one descriptor too many: that costs the connection, not the supervisor.
  server.on('error', (error) => log.warn({ err: error }, 'a probe was not heard'));
  return { port: (server.address() as AddressInfo).port, stop: () => stop(server) };
}

async function answer(
  path: string,
  isRead: boolean,
  response: ServerResponse,
  probed: Probed,
): Promise<void> {
  if (!['/livez', '/readyz', '/metrics'].includes(path)) {
    return sendError(response, 404, 'not_found', 'here are /livez, /readyz and /metrics');
  }
  if (!isRead) return sendError(response, 405, 'method_not_allowed', 'this path answers GET, HEAD');
  // That it is answered is the answer: the event loop turns.
  if (path === '/livez') return send(response, 200, jsonType, JSON.stringify({ ok: true }));
  const { page } = probed.metrics;
  if (path === '/metrics') return send(response, 200, page.contentType, await page.render());
  const problems = await probed.problems();
  if (problems.length > 0) return sendError(response, 503, 'not_ready', problems.join('; '));
  send(response, 200, jsonType, JSON.stringify({ ok: true }));
}

const jsonType = 'application/json; charset=utf-8';

function sendError(response: ServerResponse, status: number, code: string, message: string): void {
  send(response, status, jsonType, JSON.stringify({ error: { code, message } }));
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
  });
  response.end(body);
}

function isInUse(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
}

function sentenceOf(cause: unknown, host: string, port: number): string {
  const what = isInUse(cause) ? 'is in use' : `cannot be used (${messageOf(cause)})`;
  return `WHATSAPP_PROBE_PORT: ${host}:${port} ${what}; set it to another port, or to 0 for none`;
}

async function stop(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
