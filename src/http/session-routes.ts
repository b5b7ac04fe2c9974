import { pathOfSession, sessionOfPath } from '../contract/names.js';
import type { Exchange, Route } from './core/exchange.js';
import type { Session, Sessions } from './sessions.js';

/** A route of one session. Its handler gets that session. */
export interface SessionRoute extends Omit<Route, 'handle'> {
  /** It is at one path: that of `default`. */
  readonly isOfDefault?: true;
  handle(exchange: Exchange, session: Session): Promise<void>;
}

/** Turns them into routes that resolve the session of each request. They throw `session_not_found`. */
export function resolveSessions(routes: readonly SessionRoute[], sessions: Sessions): Route[] {
  return routes.flatMap(({ isOfDefault, ...route }) => {
    const resolved: Route = {
      ...route,
      async handle(exchange) {
        const session = await sessions.find(exchange.caller, sessionOfPath(exchange.parameters));
        await route.handle(exchange, session);
      },
    };
    return isOfDefault ? [resolved] : atSessionPaths(resolved);
  });
}

/** The route at the path of `default`, and at that of any session. */
export function atSessionPaths(route: Route): Route[] {
  const { doc, path } = route;
  const errors = [...(doc?.errors ?? []), 'session_not_found'] as const;
  return [
    { ...route, doc: doc && { ...doc, errors } },
    // The OpenAPI document describes it as the other one.
    { ...route, path: sessionPath(path), doc: null },
  ];
}

/** The path of a route for any session, from that of `default`. */
export function sessionPath(path: string): string {
  return pathOfSession('{session}', path);
}
