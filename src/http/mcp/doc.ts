import { bodyLimits } from '../core/body.js';
import { found, type JsonObject, type RouteDoc, textSchema } from '../core/route-doc.js';

const sessionId = { description: 'optional; the answer repeats it, or has a new one', schema: textSchema };

const message: JsonObject = {
  type: 'object',
  required: ['jsonrpc'],
  properties: {
    jsonrpc: { const: '2.0' },
    id: { type: ['string', 'integer', 'null'] },
    method: textSchema,
    params: { type: 'object' },
    result: { type: 'object' },
    error: { type: 'object' },
  },
};

/** `POST /mcp` in the OpenAPI document. */
export const mcpDoc: RouteDoc = {
  operationId: 'mcp',
  tag: 'About',
  summary: 'The same operations as tools of the Model Context Protocol',
  description:
    'JSON-RPC 2.0 over Streamable HTTP. Each request gets one JSON answer, and no state is kept between requests. A failure of a tool is a result with `isError`. An error of HTTP has the usual shape.',
  parameters: [{ name: 'Mcp-Session-Id', in: 'header', ...sessionId }],
  requestBody: {
    description: bodyLimits('longBody'),
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
    202: { description: 'The message was a notification. The body is empty' },
    400: {
      ...found('application/json', message, {
        jsonrpc: '2.0',
        id: null,
        error: { code: -32700, message: 'Parse error: the body is not valid JSON in UTF-8' },
      }),
      description:
        'Not a valid message. -32700: invalid JSON. -32600: a batch, not JSON-RPC 2.0, or JSON with too many values or levels',
    },
  },
  errors: ['body_too_large', 'unsupported_media_type'],
};
