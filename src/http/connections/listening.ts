import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { bounds, type OnBound } from '../../contract/bounds.js';
import { OperatorError } from '../../contract/errors.js';
import type { Config } from '../../platform/config/config.js';
import { answerClientError } from '../core/client-error.js';
import { ResponseWithDefaults } from '../core/default-headers.js';
import type { Connections } from './connections.js';

/** Node's server as this product wants it: how it listens, what its connections may do, how it ends. */

export type OurServer = Server<typeof IncomingMessage, typeof ResponseWithDefaults>;

const lastAnswersMs = 2_000;

export function createHttpServer(): OurServer {
  const server = createServer({
    ServerResponse: ResponseWithDefaults,
    maxHeaderSize: bounds.requestHeader,
    headersTimeout: bounds.headerTime,
    requestTimeout: bounds.requestTime,
    // Longer than a reverse proxy keeps its connections: the proxy must be the one to close them.
    keepAliveTimeout: 65_000,
    connectionsCheckingInterval: 2_000,
    // A missing Host is refused by the guard, in the one shape that every refusal has.
    requireHostHeader: false,
  });
  // Nothing moves for so long only where nobody reads: the longest wait is 120 s, and events come every 15 s.
  server.setTimeout(150_000);
  return server;
}

export function serve(server: OurServer, connections: Connections, onBound: OnBound): void {
  const onUnreadable = (error: { code?: string }, socket: Parameters<typeof answerClientError>[1]) => {
    // A connection that was stopped ends by itself, when what it asked for until then is answered.
    if (error.code === 'HPE_PAUSED') return;
    answerClientError(error, socket, connections.isReadingBody(socket), onBound);
  };
  server.on('connection', (socket) => connections.accept(socket));
  server.on('request', (request, response) => connections.take(request, response));
  server.on('checkExpectation', (request, response) => connections.take(request, response));
  server.on('clientError', onUnreadable);
  server.on('connect', (_request, socket) => onUnreadable({ code: 'CONNECT' }, socket));
}

export async function listen(server: OurServer, { host, port }: Config): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const ways: Record<string, string> = {
      EADDRINUSE:
        'is in use; stop what uses it, or set WHATSAPP_MCP_PORT to another port (0 picks a free one)',
      EACCES: 'may not be used by this user; set WHATSAPP_MCP_PORT to a port above 1023',
      EADDRNOTAVAIL:
        'is not an address of this machine; set WHATSAPP_MCP_HOST to one that is, like 127.0.0.1',
    };
    const way = code === undefined ? undefined : ways[code];
    throw way ? new OperatorError(`${host}:${port} ${way}`, { cause }) : cause;
  }
}

export async function stopServing(server: OurServer): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  const end = setTimeout(() => server.closeAllConnections(), lastAnswersMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(end);
}
