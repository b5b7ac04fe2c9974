import type { Route } from '../core/exchange.js';
import { type JsonObject, type RouteDoc, textSchema } from '../core/route-doc.js';
import { routeErrors } from './errors.js';
import { headerRefs } from './headers.js';
import type { Paths } from './operation-paths.js';
import { securityOf } from './security.js';

/** The routes that have a description of their own: pages, images, streams and probes. */
export function routePaths(routes: readonly Route[]): Paths {
  const paths: Paths = {};
  for (const route of routes) {
    const { method, path, doc } = route;
    if (doc !== null) paths[path] = { ...paths[path], [method.toLowerCase()]: describe(route, doc) };
  }
  return paths;
}

const toLogin = { description: 'To a browser without a login: redirects to `/login`' };

interface Found {
  readonly responses: { readonly 200: { readonly content: object } };
}

/** Adds what a browser gets at the operations for which there is a page too. */
export function withPages(paths: Paths, routes: readonly Route[]): Paths {
  const added = routes.flatMap(({ path, method, doc, problemPage }) => {
    const item = paths[path]?.[method.toLowerCase()];
    if (doc !== null || problemPage === undefined || item === undefined) return [];
    const { 200: found, ...others } = (item as unknown as Found).responses;
    const content = { ...found.content, 'text/html': { schema: textSchema } };
    const responses = { 200: { ...found, content }, 303: withRequestId({ 303: toLogin })[303], ...others };
    return [[path, { ...paths[path], [method.toLowerCase()]: { ...item, responses } }] as const];
  });
  return { ...paths, ...Object.fromEntries(added) };
}

function describe(
  { scope, problemPage }: Route,
  { tag, description, responses, errors = [], ...rest }: RouteDoc,
): JsonObject {
  const isPageWithLogin = problemPage !== undefined && scope !== 'open';
  const access = scope === 'open' ? 'Takes no key.' : `Scope: \`${scope}\`.`;
  return {
    ...rest,
    tags: [tag],
    description: description === undefined ? access : `${description} ${access}`,
    security: securityOf(scope),
    responses: withRequestId({
      ...(isPageWithLogin ? { 303: toLogin } : {}),
      ...routeErrors(scope, errors),
      ...responses,
    }),
  };
}

/** Every response has the header, also that of a page, an image or a stream. */
function withRequestId(responses: Readonly<Record<string, JsonObject>>): Record<string, JsonObject> {
  return Object.fromEntries(
    Object.entries(responses).map(([status, response]) => [
      status,
      { ...response, headers: { ...headerRefs(['RequestId']), ...(response.headers as JsonObject) } },
    ]),
  );
}
