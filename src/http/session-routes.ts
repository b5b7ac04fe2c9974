import { sessionOfPath } from '../contract/names.js';
import type { Exchange, Route } from './core/exchange.js';
import type { Session, Sessions } from './sessions.js';

/** A route of one session. Its handler gets that session. */
export interface SessionRoute extends Omit<Route, 'handle'> {
  handle(exchange: Exchange, session: Session): Promise<void>;
}

/** Turns them into routes that resolve the session of each request. */
export function resolveSessions(routes: readonly SessionRoute[], sessions: Sessions): Route[] {
  return routes.map((route) => ({
    ...route,
    handle: (exchange) => route.handle(exchange, sessions.get(sessionOfPath(exchange.parameters))),
  }));
}
