import { defaultSession, isSessionName, pathOfSession } from '../../contract/names.js';

/** Where a page stands. Its links are relative: a proxy may serve the product below a path of its own. */
export interface Place {
  readonly session: string;
  /** Leads to the first page: `''` for pages at the top. */
  readonly root: string;
}

export const topPlace: Place = { session: defaultSession, root: '' };

/** `path`: of the request. */
export function placeOf(path: string): Place {
  const session = /^\/sessions\/([^/]+)\//.exec(path)?.[1];
  if (session === undefined) return topPlace;
  return isSessionName(session) ? placeOfSession(session) : { ...topPlace, root: '../../' };
}

/** The place of the pages of a session. */
export function placeOfSession(session: string): Place {
  return session === defaultSession ? topPlace : { session, root: '../../' };
}

/** The relative URL of a route of the session, from its path for `default`: `api/events`. */
export function linkTo({ session, root }: Place, path: string): string {
  return root + pathOfSession(session, path).slice(1);
}
