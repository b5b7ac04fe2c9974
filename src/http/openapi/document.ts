import { productVersion } from '../../contract/product.js';
import { operationPaths, queuedExample } from './operation-paths.js';
import { otherPaths } from './other-paths.js';
import { componentSchemas, type JsonObject } from './schemas.js';
import { securitySchemes } from './security.js';

/** The whole document, without the server's URL. */
export function openApiDocument(): JsonObject {
  return {
    openapi: '3.1.1',
    info: {
      title: 'Holdline',
      version: productVersion,
      description:
        'One linked WhatsApp account behind a plain HTTP API. Every failure has the same shape, and its `error.code` is stable. Where the server has API keys, a request takes one of the scope that its operation names: `read`, `send` or `admin`, each including those before it. What a caller may have under way is limited, whatever it asks: 429 `rate_limited`.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [],
    tags: [
      { name: 'Session', description: 'Linking the phone; starting and ending the session.' },
      { name: 'Messages', description: 'Sending and reading.' },
      { name: 'Events', description: 'What happens, as it happens.' },
      { name: 'About', description: 'This document, the tools for agents, the probes.' },
    ],
    paths: { ...operationPaths(), ...otherPaths() },
    components: { schemas: componentSchemas(), parameters, headers, securitySchemes },
  };
}

const text = { type: 'string' };

const parameters = {
  Prefer: {
    name: 'Prefer',
    in: 'header',
    description:
      '`wait=N`: wait at most N seconds (0-120) for the outcome. `respond-async`, of a send: answer 202 at once. Anything else is ignored.',
    schema: text,
    example: 'wait=10',
  },
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description:
      'Makes repeating a call safe for 24 h: the same request joins the running one or gets its outcome again, another request is refused.',
    schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[ -~]+$' },
    example: 'order-4711',
  },
  RequestId: {
    name: 'X-Request-Id',
    in: 'header',
    description: 'up to 128 printable characters; the answer has it again, or a new one',
    schema: { type: 'string', maxLength: 128 },
  },
};

const headers = {
  RequestId: { description: 'the caller’s own, or a new one', schema: text },
  PreferenceApplied: { description: 'what was used of `Prefer`', schema: text, example: 'wait=10' },
  Location: { description: 'where to ask for the job', schema: text, example: queuedExample.url },
  RetryAfter: { description: 'seconds', schema: { type: 'integer', minimum: 0 }, example: 2 },
  IdempotentReplayed: {
    description: '`true`: the outcome of an earlier call with the same key',
    schema: { const: 'true' },
  },
};
