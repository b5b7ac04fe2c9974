import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type JSONRPCMessage, parseJSONRPCMessage } from '@modelcontextprotocol/server';
import type { OnBound } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';
import { readJson } from '../core/body.js';
import type { CorsHeaderNames } from '../core/cors.js';
import type { Exchange, Route } from '../core/exchange.js';
import { jsonType, send } from '../core/responses.js';
import { mcpDoc } from './doc.js';
import { plainly } from './protocol-errors.js';
import { createTransport, type McpParts } from './transport.js';

const parseError = -32_700;
const invalidRequest = -32_600;

/** Headers of the protocol that pages of other origins may use. */
export const mcpHeaderNames: CorsHeaderNames = {
  request: ['Mcp-Session-Id', 'Mcp-Protocol-Version', 'Mcp-Method', 'Mcp-Name'],
  response: ['Mcp-Session-Id'],
};

/**
 * `POST /mcp`: the Model Context Protocol over Streamable HTTP. Each answer is one JSON document. An error of HTTP has the error
 * shape of the API. An error in the message has that of the protocol.
 */
export function createMcpRoute(parts: McpParts): Route {
  const answer = createTransport(parts);
  return {
    // The scope of a tool is checked when it is called.
    ...{ method: 'POST', path: '/mcp', scope: 'read', doc: mcpDoc },
    async handle(exchange) {
      const { request, response } = exchange;
      response.addHeader('mcp-session-id', sessionIdOf(request));
      const message = await readMessage(exchange, parts.onBound);
      if (message === null) return;
      const { status, json } = await answer(exchange, message);
      if (json === null) response.writeHead(status).end();
      else send(response, status, jsonType, JSON.stringify(plainly(json, message)));
    },
  };
}

/** No protocol session is kept. A client may send an id of its own, which the response repeats. */
function sessionIdOf({ headers }: IncomingMessage): string {
  const given = headers['mcp-session-id'];
  return typeof given === 'string' && /^[!-~]{1,256}$/.test(given) ? given : randomUUID();
}

/** Reads one message. Returns null if it was invalid and has been answered. Throws an error of HTTP. */
async function readMessage(exchange: Exchange, onBound: OnBound): Promise<JSONRPCMessage | null> {
  const refuse = (code: number, message: string) => {
    const body = { jsonrpc: '2.0', id: null, error: { code, message } };
    send(exchange.response, 400, jsonType, JSON.stringify(body));
    return null;
  };
  let value: unknown;
  try {
    value = await readJson(exchange, 'longBody');
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.code === 'invalid_json')
      return refuse(parseError, 'Parse error: the body is not valid JSON in UTF-8');
    if (error.bound !== 'jsonValues' && error.bound !== 'jsonDepth') throw error;
    onBound(error.bound);
    return refuse(invalidRequest, `Invalid Request: ${error.message}`);
  }
  if (Array.isArray(value)) return refuse(invalidRequest, 'Invalid Request: batches are not supported');
  try {
    return parseJSONRPCMessage(value);
  } catch {
    return refuse(invalidRequest, 'Invalid Request: the body is not a JSON-RPC 2.0 message');
  }
}
