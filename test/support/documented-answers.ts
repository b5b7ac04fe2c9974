import assert from 'node:assert/strict';
import { createRouter, routeFor } from '../../src/http/core/router.js';
import { openApiDocument } from '../../src/http/openapi/document.js';
import { createRoutes, type RouteParts } from '../../src/http/routes.js';

interface DocumentedResponse {
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Readonly<Record<string, { readonly schema: unknown }>>;
}

/** Headers that a client acts on. */
const tellingHeaders = [
  ...['x-request-id', 'www-authenticate', 'retry-after'],
  ...['preference-applied', 'idempotent-replayed'],
];

const routes = createRoutes({ handlers: {} } as RouteParts);
const matchPath = createRouter(routes);
const { paths } = JSON.parse(JSON.stringify(openApiDocument(routes))) as {
  readonly paths: Record<string, Record<string, { readonly responses: Record<string, DocumentedResponse> }>>;
};

/**
 * Fails unless the OpenAPI document has an answer like this one: its status, its error code, and the headers that a client acts on.
 * What no route answers, and a request that is no valid HTTP, is not part of the document.
 */
export async function assertDocumented(path: string, method: string, response: Response): Promise<void> {
  const match = matchPath(path.split('?', 1)[0] ?? '');
  const route = match === null ? undefined : routeFor(match.resource, method);
  if (match === null || !route || method === 'OPTIONS') return;
  const item = paths[match.resource.path]?.[route.method.toLowerCase()];
  if (item === undefined) return;
  const title = `${method} ${path} answers ${response.status}`;
  const documented = item.responses[response.status];
  assert.ok(documented, `the OpenAPI document does not know that ${title}`);
  const known = Object.keys(documented.headers ?? {}).map((name) => name.toLowerCase());
  for (const name of tellingHeaders) {
    if (response.headers.has(name)) assert.ok(known.includes(name), `${title} with ${name}`);
  }
  if (response.status < 400 || method === 'HEAD') return;
  if (!response.headers.get('content-type')?.startsWith('application/json')) return;
  const { error } = (await response.clone().json()) as { error: { code: unknown } };
  const schema = JSON.stringify(documented.content?.['application/json']?.schema ?? {});
  if (typeof error.code === 'string') assert.ok(schema.includes(`"${error.code}"`), `${title} ${error.code}`);
}
