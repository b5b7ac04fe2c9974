import {
  createMcpHandler,
  isLegacyRequest,
  type JSONRPCMessage,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import type { OnBound } from '../../contract/bounds.js';
import type { Logger } from '../../platform/logger.js';
import type { Exchange } from '../core/exchange.js';
import type { FailureLog } from '../core/failure-log.js';
import type { Handlers } from '../operations/call.js';
import type { Sessions } from '../sessions.js';
import { type CallTool, protocolServer } from './protocol-server.js';
import { callTool } from './tool-call.js';

export interface McpParts {
  readonly handlers: Handlers;
  readonly sessions: Pick<Sessions, 'find'>;
  readonly log: Logger;
  readonly failures: FailureLog;
  readonly onBound: OnBound;
}

export interface McpAnswer {
  readonly status: number;
  /** null: an empty body. */
  readonly json: unknown;
}

/**
 * Answers one message with the official library: by the protocol revision without a handshake (2026-07-28), or by the earlier ones,
 * which have one. No state is kept between messages, so any replica can answer any of them. Each message gets a server of its own.
 */
export function createTransport(
  parts: McpParts,
): (exchange: Exchange, message: JSONRPCMessage) => Promise<McpAnswer> {
  const exchanges = new WeakMap<Request, Exchange>();
  const serverFor = (request: Request | undefined) => {
    const exchange = request && exchanges.get(request);
    if (exchange === undefined) throw new Error('the message has no exchange');
    return protocolServer(exchange.admission.baseUrl, toolsFor(exchange, parts));
  };
  // No subscriptions: the list of tools never changes, and a stream would tie the client to this replica.
  const handshakeless = createMcpHandler(({ requestInfo }) => serverFor(requestInfo), {
    legacy: 'reject',
    maxSubscriptions: 0,
    onerror: (error) =>
      parts.log.debug({ err: error }, 'a message of the Model Context Protocol was refused'),
  });

  /** Like the library's own handler, but the answer is one JSON document instead of a stream. */
  async function answerWithHandshake(request: Request, message: JSONRPCMessage): Promise<Response> {
    const server = serverFor(request);
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
    await server.connect(transport);
    try {
      return await transport.handleRequest(request, { parsedBody: message });
    } finally {
      await server.close();
    }
  }

  return async (exchange, message) => {
    const request = webRequest(exchange);
    exchanges.set(request, exchange);
    const response = (await isLegacyRequest(request, message))
      ? await answerWithHandshake(request, message)
      : await handshakeless.fetch(request, { parsedBody: message });
    const text = await response.text();
    return { status: response.status, json: text === '' ? null : JSON.parse(text) };
  };
}

/** The request with headers that the library requires and plain JSON-RPC clients do not send. */
function webRequest({ request, admission }: Exchange): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (name.startsWith('mcp-') && typeof value === 'string') headers.set(name, value);
  }
  headers.set('accept', 'application/json, text/event-stream');
  headers.set('content-type', 'application/json');
  return new Request(`${admission.baseUrl}/mcp`, { method: 'POST', headers });
}

function toolsFor(exchange: Exchange, { handlers, sessions, failures, onBound }: McpParts): CallTool {
  return (name, input) =>
    callTool({ handlers, sessions, exchange, name, input }, (error) => {
      if (error.bound !== null) onBound(error.bound);
      // The answer is 200, so the log line of the request does not show the failure.
      if (error.status < 500) return;
      failures.add({ requestId: exchange.requestId, tool: name }, error, 'tool failed');
    });
}
