import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { bounds, type OnBound } from '../../contract/bounds.js';
import { sendClientError } from '../core/client-error.js';
import { ResponseWithDefaults } from '../core/responses.js';
import type { Connections } from './connections.js';

/** Node's HTTP server: its settings, and how it stops. */

export type NodeServer = Server<typeof IncomingMessage, typeof ResponseWithDefaults>;

/** How long requests in flight may still be answered after a stop. */
const closeDeadlineMs = 2_000;

export function createHttpServer(): NodeServer {
  const server = createServer({
    ServerResponse: ResponseWithDefaults,
    maxHeaderSize: bounds.requestHeader,
    headersTimeout: bounds.headerTime,
    requestTimeout: bounds.requestTime,
    // Longer than a reverse proxy keeps its connections: the proxy must be the one to close them.
    keepAliveTimeout: 65_000,
    connectionsCheckingInterval: 2_000,
    // The host-origin guard refuses a missing Host, with an error of the usual shape.
    requireHostHeader: false,
  });
  // A connection is idle for so long only if its client does not read: waits last 120 s at most, and streams ping every 15 s.
  server.setTimeout(150_000);
  return server;
}

/** Passes connections and requests to `connections`. Answers requests that cannot be parsed. */
export function serve(server: NodeServer, connections: Connections, onBound: OnBound): void {
  const onClientError = (error: { code?: string }, socket: Parameters<typeof sendClientError>[1]) => {
    // The connection paused the parser itself. It closes once the request in flight is answered.
    if (error.code === 'HPE_PAUSED') return;
    sendClientError(error, socket, connections.isReadingBody(socket), onBound);
  };
  server.on('connection', (socket) => connections.accept(socket));
  server.on('request', (request, response) => connections.handle(request, response));
  server.on('checkExpectation', (request, response) => connections.handle(request, response));
  server.on('clientError', onClientError);
  server.on('connect', (_request, socket) => onClientError({ code: 'CONNECT' }, socket));
}

/** Accepts no more connections, and resolves when all are closed. */
export async function stopServing(server: NodeServer): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  const end = setTimeout(() => server.closeAllConnections(), closeDeadlineMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(end);
}
