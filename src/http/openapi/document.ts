import { productVersion } from '../../contract/product.js';
import type { Route } from '../core/exchange.js';
import { idempotencyKeyPattern } from '../core/headers.js';
import type { JsonObject } from '../core/route-doc.js';
import { headers } from './headers.js';
import { operationPaths } from './operation-paths.js';
import { routePaths, withPages } from './route-paths.js';
import { componentSchemas } from './schemas.js';
import { securitySchemes } from './security.js';
import { sessionPathsTag, withSessionPaths } from './session-paths.js';

/** The whole document, without the server's URL. It describes the table of operations and the routes with a `doc`. */
export function openApiDocument(routes: readonly Route[]): JsonObject {
  return {
    openapi: '3.1.1',
    info: {
      title: 'Holdline',
      version: productVersion,
      description:
        'Linked WhatsApp accounts behind a plain HTTP API. Each account is a session with a name. The paths without a name are those of the session `default`. Every error has the same shape, and its `error.code` is stable. If the server has API keys, a request needs a key with the scope of its operation: `read`, `send` or `admin`. Each scope includes those before it. A caller may have only a limited number of requests under way; more get 429 `rate_limited`.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [],
    tags: [
      // Pages show the operations in this order.
      { name: 'Messages', description: 'Sending and reading.' },
      { name: 'Session', description: 'Linking the phone; starting and ending the session.' },
      { name: 'Sessions', description: 'Making, listing and deleting sessions.' },
      { name: 'Deployment', description: 'The parts that serve the sessions.' },
      { name: 'Events', description: 'What happens in the session.' },
      { name: 'Keys', description: 'API keys that are made and ended while the server runs.' },
      { name: 'About', description: 'This server and document, the tools for agents, the probes.' },
      sessionPathsTag,
    ],
    paths: withSessionPaths({ ...withPages(operationPaths(), routes), ...routePaths(routes) }, routes),
    components: { schemas: componentSchemas(), parameters, headers, securitySchemes },
  };
}

const text = { type: 'string' };

/** Without `example`: `/docs` would send it with each request that is tried there. */
const parameters = {
  Prefer: {
    name: 'Prefer',
    in: 'header',
    description:
      '`wait=N`: wait at most N seconds (0-120) for the outcome. `respond-async`, for a send: answer 202 at once. Anything else is ignored. Example: `wait=10`.',
    schema: text,
  },
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description:
      'Makes a call safe to repeat for 24 h. The same request joins the running one or gets its outcome again. A different request with the same key is refused. Example: `order-4711`.',
    schema: { type: 'string', pattern: idempotencyKeyPattern.source },
  },
  RequestId: {
    name: 'X-Request-Id',
    in: 'header',
    description: 'up to 128 printable characters; the answer repeats it, or has a new one',
    schema: { type: 'string', maxLength: 128 },
  },
};
