import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { messageOf, OperatorError } from '../../contract/errors.js';
import type { ProbeAddress } from '../../platform/config/config.js';
import { jsonType, send } from '../../platform/http-response.js';
import type { Logger } from '../../platform/logger.js';
import type { MetricsPage } from '../../platform/metrics/metrics-page.js';

const probeHeaders = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

/** What the probe server needs to know of a supervisor. */
export interface ProbedSupervisor {
  /** Why it cannot take or run a session, as sentences. Empty: it is ready. */
  problems(): Promise<readonly string[]>;
  readonly metrics: { readonly page: MetricsPage };
}

export interface ProbeServer {
  /** null: probes are turned off, or the default port is in use. */
  readonly port: number | null;
  stop(): Promise<void>;
}

const none: ProbeServer = { port: null, stop: () => Promise.resolve() };

/**
 * Serves `/livez`, `/readyz` and `/metrics` of a supervisor. No API key is needed: they hold no secret. If the default port is
 * in use, logs a warning and serves nothing. Throws an {@link OperatorError} if the configured port is in use, or if it
 * cannot listen for another reason.
 */
export async function startProbeServer(
  { host, port, isGiven }: ProbeAddress,
  supervisor: ProbedSupervisor,
  log: Logger,
): Promise<ProbeServer> {
  if (port === 0) return none;
  const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    void answer(path, request.method === 'GET' || request.method === 'HEAD', response, supervisor).catch(
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
    const message = listenErrorMessage(cause, host, port);
    if (isGiven || !isInUse(cause)) throw new OperatorError(message, { cause });
    log.warn(`${message}; continuing without probes and metrics of this supervisor`);
    return none;
  }
  // For example, no file descriptor is left. That must cost a connection, not the supervisor.
  server.on('error', (error) => log.warn({ err: error }, 'the probe server could not accept a connection'));
  return { port: (server.address() as AddressInfo).port, stop: () => stop(server) };
}

async function answer(
  path: string,
  isRead: boolean,
  response: ServerResponse,
  supervisor: ProbedSupervisor,
): Promise<void> {
  if (!['/livez', '/readyz', '/metrics'].includes(path)) {
    return sendError(response, 404, 'not_found', 'only /livez, /readyz and /metrics are served here');
  }
  if (!isRead) return sendError(response, 405, 'method_not_allowed', 'this path answers GET, HEAD');
  // Any response is enough: it shows that the event loop runs.
  if (path === '/livez') return sendOk(response);
  const { page } = supervisor.metrics;
  if (path === '/metrics') {
    return send(response, 200, page.contentType, await page.render(), probeHeaders);
  }
  const problems = await supervisor.problems();
  if (problems.length > 0) return sendError(response, 503, 'not_ready', problems.join('; '));
  sendOk(response);
}

function sendError(response: ServerResponse, status: number, code: string, message: string): void {
  const headers = status === 405 ? { ...probeHeaders, allow: 'GET, HEAD' } : probeHeaders;
  send(response, status, jsonType, JSON.stringify({ error: { code, message } }), headers);
}

function sendOk(response: ServerResponse): void {
  send(response, 200, jsonType, JSON.stringify({ ok: true }), probeHeaders);
}

function isInUse(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
}

function listenErrorMessage(cause: unknown, host: string, port: number): string {
  const problem = isInUse(cause) ? 'is in use' : `cannot be used (${messageOf(cause)})`;
  return `WHATSAPP_PROBE_PORT: ${host}:${port} ${problem}; set it to another port, or to 0 for none`;
}

async function stop(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
