import type { Scope } from '../../contract/access.js';
import { bounds } from '../../contract/bounds.js';
import { eventSchemas } from '../../contract/events.js';
import { everyPathAnd, openPathAnd } from './errors.js';
import { limitedTo, type Paths } from './operation-paths.js';
import type { JsonObject } from './schemas.js';
import { securityOf } from './security.js';

/** The paths outside the table of operations: pages, images, streams and probes. */
export function otherPaths(): Paths {
  return {
    '/qr': {
      get: operation('qrPage', 'Session', 'admin', 'The page that links a phone', {
        description:
          'What to do now, the code while there is one, and the state. It follows the session by itself; opening it never starts a login.',
        responses: { 200: found('text/html', text), ...everyPathAnd('redis_unavailable') },
      }),
    },
    '/qr.png': {
      get: operation('qrImage', 'Session', 'admin', 'The code to scan, as an image of 360x360 pixels', {
        responses: {
          200: found('image/png', {}),
          ...everyPathAnd('qr_not_available', 'redis_unavailable'),
        },
      }),
    },
    '/api/events': { get: events },
    '/mcp': { post: mcp },
    '/openapi.json': {
      get: operation('openapi', 'About', 'read', 'This document', {
        responses: { 200: found('application/json', { type: 'object' }), ...everyPathAnd() },
      }),
    },
    '/docs': {
      get: operation('docs', 'About', 'read', 'This document as a page', {
        responses: { 200: found('text/html', text), ...everyPathAnd() },
      }),
    },
    '/login': {
      get: operation('loginPage', 'About', 'open', 'A page that asks for an API key', {
        responses: { 200: found('text/html', text), ...openPathAnd() },
      }),
      post: operation('login', 'About', 'open', 'What that page sends: the key, for a cookie of 12 h', {
        requestBody: form({ key: text }),
        responses: {
          303: { description: 'Logged in: to the page that `next` names' },
          ...openPathAnd(
            ...(['unauthorized', 'rate_limited', 'unsupported_media_type', 'body_too_large'] as const),
            'redis_unavailable',
          ),
        },
      }),
    },
    '/signout': {
      post: operation('signOut', 'About', 'read', 'Ends the login of the browser that asks', {
        responses: { 303: { description: 'To the login' }, ...everyPathAnd('redis_unavailable') },
      }),
    },
    '/link/{token}': {
      get: operation('qrLinkPage', 'Session', 'open', 'What a QR link opens: a page with a button', {
        parameters: [token],
        responses: { 200: found('text/html', text), ...openPathAnd('not_found', 'redis_unavailable') },
      }),
      post: operation('qrLinkOpen', 'Session', 'open', 'The button: burns the link and shows the code', {
        parameters: [token],
        responses: {
          303: { description: 'To `/qr`, with a cookie of 10 min that reaches it, its image and its events' },
          ...openPathAnd('not_found', 'redis_unavailable'),
        },
      }),
    },
    '/livez': {
      get: operation('livez', 'About', 'open', 'Whether this replica serves', {
        responses: { 200: found('application/json', alive), ...openPathAnd() },
      }),
    },
    '/readyz': {
      get: operation('readyz', 'About', 'open', 'Whether this replica serves and Redis answers', {
        responses: { 200: found('application/json', alive), ...openPathAnd('redis_unavailable') },
      }),
    },
    '/metrics': {
      get: operation('metrics', 'About', 'read', 'What this replica counts and measures, for Prometheus', {
        responses: { 200: found('text/plain', text), ...everyPathAnd() },
      }),
    },
  };
}

const text = { type: 'string' };
const token = { name: 'token', in: 'path', required: true, schema: text };
const alive = { type: 'object', required: ['ok'], properties: { ok: { const: true } } };

const eventExample = {
  type: 'message_ack',
  session: 'default',
  at: '2026-01-01T10:01:40.000Z',
  data: { id: 'true_15551234567@c.us_3EB0C431C26A1916E07A', chat_id: '15551234567@c.us', ack: 1 },
};

const events = operation('events', 'Events', 'read', 'What happens, as it happens: server-sent events', {
  description:
    'Each event has `id`, `event` (its type) and `data`: the schema `Event` as one line of JSON. Without `Last-Event-ID` only what happens from now on; with one, all after it, from any replica. What is older than 10,000 events or 24 h is gone: a `gap` event with `oldest_id` comes first, then all there is. A comment every 15 s keeps the connection open.',
  parameters: [
    {
      name: 'types',
      in: 'query',
      description: `only these, separated by commas: ${Object.keys(eventSchemas).join(', ')}`,
      schema: text,
      example: 'state,qr',
    },
    {
      name: 'Last-Event-ID',
      in: 'header',
      description: 'the id of the last event that was seen; browsers send it by themselves',
      schema: text,
    },
  ],
  responses: {
    200: {
      ...found('text/event-stream', text, streamOf(eventExample)),
      description: 'A stream without an end',
    },
    ...everyPathAnd('invalid_request', 'redis_unavailable'),
  },
});

const sessionId = { description: 'optional; the answer has it again, or a new one', schema: text };

const message = {
  type: 'object',
  required: ['jsonrpc'],
  properties: {
    jsonrpc: { const: '2.0' },
    id: { type: ['string', 'integer', 'null'] },
    method: text,
    params: { type: 'object' },
    result: { type: 'object' },
    error: { type: 'object' },
  },
};

const mcp = operation('mcp', 'About', 'read', 'The same operations as tools: Model Context Protocol', {
  description:
    'JSON-RPC 2.0 over Streamable HTTP, one JSON answer a request, no state between two. What fails in a tool is a result with `isError`; what HTTP refuses has the shape of every other refusal.',
  parameters: [{ name: 'Mcp-Session-Id', in: 'header', ...sessionId }],
  requestBody: {
    description: limitedTo('longBody'),
    required: true,
    content: {
      'application/json': {
        schema: message,
        example: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'whatsapp_status' } },
      },
    },
  },
  responses: {
    200: {
      ...found('application/json', message, {
        jsonrpc: '2.0',
        id: 1,
        result: { content: [{ type: 'text', text: '{\n  "state": "ready"\n}' }] },
      }),
      headers: { 'Mcp-Session-Id': sessionId },
    },
    202: { description: 'A notification: nothing to answer' },
    ...everyPathAnd('body_too_large', 'unsupported_media_type'),
    400: {
      ...found('application/json', message, {
        jsonrpc: '2.0',
        id: null,
        error: { code: -32700, message: 'Parse error: the body is not valid JSON in UTF-8' },
      }),
      description:
        'Not a message: bad JSON (-32700); a batch, no JSON-RPC, or JSON with too much in it (-32600)',
    },
  },
});

function operation(
  operationId: string,
  tag: string,
  scope: Scope | 'open',
  summary: string,
  { description, ...rest }: JsonObject,
): JsonObject {
  const words = [description, scope === 'open' ? 'Takes no key.' : `Scope: \`${scope}\`.`];
  return {
    ...{ operationId, tags: [tag], summary, description: words.filter(Boolean).join(' ') },
    ...{ security: securityOf(scope), ...rest },
  };
}

function form(properties: JsonObject): JsonObject {
  const schema = { type: 'object', required: Object.keys(properties), properties };
  const description = `At most ${bounds.formBody} bytes.`;
  return { description, required: true, content: { 'application/x-www-form-urlencoded': { schema } } };
}

function found(type: string, schema: JsonObject, example?: unknown): JsonObject {
  return {
    description: 'Found',
    content: { [type]: { schema, ...(example === undefined ? {} : { example }) } },
  };
}

function streamOf(event: { readonly type: string }): string {
  return `retry: 2000\n\nid: 1767261700000-0\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
