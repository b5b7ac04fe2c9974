import type { Route } from '../core/exchange.js';
import type { JsonObject, RouteDoc } from '../core/route-doc.js';
import { routeErrors } from './errors.js';
import type { Paths } from './operation-paths.js';
import { securityOf } from './security.js';

/** The routes that have a description of their own: pages, images, streams and probes. */
export function routePaths(routes: readonly Route[]): Paths {
  const paths: Paths = {};
  for (const { method, path, scope, doc } of routes) {
    if (doc !== null) paths[path] = { ...paths[path], [method.toLowerCase()]: describe(scope, doc) };
  }
  return paths;
}

function describe(
  scope: Route['scope'],
  { tag, description, responses, errors = [], ...rest }: RouteDoc,
): JsonObject {
  const access = scope === 'open' ? 'Takes no key.' : `Scope: \`${scope}\`.`;
  return {
    ...rest,
    tags: [tag],
    description: description === undefined ? access : `${description} ${access}`,
    security: securityOf(scope),
    responses: { ...routeErrors(scope, errors), ...responses },
  };
}
