import type { ApiError, ApiErrorCode } from '../../contract/errors.js';
import type { FailedRequest } from '../core/exchange.js';
import { rootPath } from '../core/host-origin-guard.js';
import { type Html, html } from './html.js';
import { layout } from './layout.js';
import { type Place, placeOf } from './place.js';
import { qrRegions } from './qr-parts.js';

/** Problems that a person can solve. */
const knownProblems: Partial<Record<ApiErrorCode, readonly [heading: string, wayOut: string]>> = {
  redis_unavailable: [
    'Redis is not reachable',
    'Redis has the state of the session, and does not answer. The session itself may still be running. Check that Redis is up. This page recovers by itself.',
  ],
  internal_error: [
    'Something went wrong',
    'The log of this server says what happened. This page tries again by itself.',
  ],
  host_not_allowed: [
    'This name is not served',
    'Whoever runs this server can allow the name. Until then, use the address that the server names in its log when it starts.',
  ],
};

const otherProblem = ['This did not work', 'This page tries again by itself.'] as const;

/** Replaces `/qr` or another page of the operator when there is an error. */
export function problemPage(
  error: ApiError,
  { caller, target }: Pick<FailedRequest, 'caller' | 'target'>,
): string {
  const place = placeOf(target.path);
  if (error.code === 'forbidden') return forbiddenPage(error, caller.scope === 'guest', place);
  if (error.code === 'session_not_found') return noSessionPage(error, place);
  const [heading, wayOut] = wayOutOf(error);
  return layout({
    title: heading,
    tone: error.code === 'redis_unavailable' ? 'wait' : 'bad',
    isLive: true,
    place,
    content: qrRegions({ now: problem(heading, error, wayOut), code: null, state: 'unknown' }),
  });
}

function noSessionPage({ message }: ApiError, place: Place): string {
  const heading = 'There is no such session';
  return layout({
    ...{ title: heading, tone: 'idle', isLive: false, place },
    content: html`<h1>${heading}</h1><p class="why">${message}</p>
<p>It was deleted, or your key is for others. See <a href="${place.root || '.'}">the first page</a>.</p>`,
  });
}

function forbiddenPage(error: ApiError, isGuest: boolean, { root }: Place): string {
  const heading = isGuest ? 'Your link does not show this' : 'Your key does not allow this';
  return layout({
    title: heading,
    tone: 'bad',
    isLive: false,
    content: isGuest
      ? html`<h1>${heading}</h1><p>It shows only <a href="qr">the code</a>.</p>`
      : html`${problem(heading, error, 'Sign out, then log in with a key that has this scope.')}
<form method="post" action="${root}signout"><button type="submit">Sign out</button></form>`,
  });
}

/** For a browser whose request reached no page: an unknown path, or a name that is not served. */
export function strayPage(error: ApiError, { admission }: Pick<FailedRequest, 'admission'>): string {
  const isUnknown = error.code === 'not_found';
  const [heading, wayOut] = wayOutOf(error);
  const title = isUnknown ? 'There is no such page' : heading;
  return layout({
    title,
    tone: isUnknown ? 'idle' : 'bad',
    isLive: false,
    content: isUnknown
      ? html`<h1>${title}</h1>
<p>Check the address, or go to <a href="${rootPath(admission)}">the first page</a>.</p>`
      : problem(title, error, wayOut),
  });
}

function wayOutOf({ code }: ApiError): readonly [heading: string, wayOut: string] {
  return knownProblems[code] ?? otherProblem;
}

function problem(heading: string, { message }: ApiError, wayOut: string): Html {
  return html`<h1>${heading}</h1><p class="why">${message}</p><p>${wayOut}</p>`;
}
