import type { Resource, Route, RouteMatch } from './exchange.js';

export const everyMethod = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'];

/**
 * Matches paths to resources. Nearly all paths are literal and take one lookup. Polka's own router would try every pattern for
 * every request.
 */
export function createRouter(routes: readonly Route[]): (path: string) => RouteMatch | null {
  const resources = [...new Set(routes.map(({ path }) => path))].map((path) =>
    resourceOf(
      path,
      routes.filter((route) => route.path === path),
    ),
  );
  const hasParameters = ({ path }: Resource) => path.includes('{');
  const literal = new Map(
    resources
      .filter((resource) => !hasParameters(resource))
      .map((resource) => [resource.path, { resource, parameters: {} }]),
  );
  const patterns = resources
    .filter(hasParameters)
    .map((resource) => ({ resource, pattern: pathPattern(resource.path) }));

  return (path) => {
    const match = literal.get(path);
    if (match !== undefined) return match;
    for (const { resource, pattern } of patterns) {
      const segments = pattern.exec(path);
      if (segments !== null) return { resource, parameters: decoded(segments.groups ?? {}) };
    }
    return null;
  };
}

/** The route for a method; GET serves HEAD too. */
export function routeFor(
  { routes }: Pick<Resource, 'routes'>,
  method: string | undefined,
): Route | undefined {
  const served = method === 'HEAD' ? 'GET' : method;
  return routes.find((route) => route.method === served);
}

function resourceOf(path: string, routes: readonly Route[]): Resource {
  const methods = everyMethod.filter(
    (method) => method === 'OPTIONS' || routeFor({ routes }, method) !== undefined,
  );
  return {
    ...{ path, routes, methods },
    isOpen: routes.some(({ scope }) => scope === 'open'),
    isStream: routes.some(({ isStream }) => isStream === true),
  };
}

/** Matches the whole path; `{name}` stands for one segment. Polka's own patterns ignore case and allow a slash at the end. */
function pathPattern(path: string): RegExp {
  const parts = path.split(/\{(\w+)\}/);
  const pattern = parts.map((part, i) => (i % 2 === 1 ? `(?<${part}>[^/]+)` : escapeRegExp(part)));
  return new RegExp(`^${pattern.join('')}$`);
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function decoded(segments: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(segments).map(([name, text]) => [name, decodeSegment(text)]));
}

/** Leaves a broken escape as it is: no valid parameter contains a percent sign. */
function decodeSegment(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
