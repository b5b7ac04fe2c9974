import type { Route } from './exchange.js';
import { pathPattern } from './path-pattern.js';

export const everyMethod = ['GET', 'HEAD', 'POST', 'OPTIONS'];

/** A path of the API, and what answers there. */
export interface Place {
  /** As the table of routes has it: `{name}` stands for one segment. */
  readonly path: string;
  readonly routes: readonly Route[];
  /** What it answers to, for `Allow`. */
  readonly methods: readonly string[];
  /** Everybody may ask, without a key. */
  readonly isOpen: boolean;
}

/** Where the path of a request leads, and the segments that its place names, their percent-encoding decoded. */
export interface Found {
  readonly place: Place;
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * Finds the place of a path. Nearly all paths are literal, and one look finds those; Polka's own search tries every
 * pattern for every request.
 */
export function createRouter(routes: readonly Route[]): (path: string) => Found | null {
  const places = [...new Set(routes.map(({ path }) => path))].map((path) =>
    placeOf(
      path,
      routes.filter((route) => route.path === path),
    ),
  );
  const isNamed = ({ path }: Place) => path.includes('{');
  const literal = new Map(
    places.filter((place) => !isNamed(place)).map((place) => [place.path, { place, parameters: {} }]),
  );
  const named = places.filter(isNamed).map((place) => ({ place, pattern: pathPattern(place.path) }));

  return (path) => {
    const found = literal.get(path);
    if (found !== undefined) return found;
    for (const { place, pattern } of named) {
      const match = pattern.exec(path);
      if (match !== null) return { place, parameters: decoded(match.groups ?? {}) };
    }
    return null;
  };
}

function decoded(segments: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(segments).map(([name, text]) => [name, unescapeSegment(text)]));
}

/** A broken escape stays as it came: nothing that a segment may be has a percent sign in it. */
function unescapeSegment(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** GET answers HEAD too. */
export function routeFor({ routes }: Pick<Place, 'routes'>, method: string | undefined): Route | undefined {
  const asked = method === 'HEAD' ? 'GET' : method;
  return routes.find((route) => route.method === asked);
}

function placeOf(path: string, routes: readonly Route[]): Place {
  const methods = everyMethod.filter(
    (method) => method === 'OPTIONS' || routeFor({ routes }, method) !== undefined,
  );
  return { path, routes, methods, isOpen: routes.some(({ scope }) => scope === 'open') };
}
