import type { ApiError, ApiErrorCode } from '../../contract/errors.js';
import type { Caller } from '../core/caller.js';
import type { FailedRequest } from '../core/exchange.js';
import { rootPath } from '../core/host-origin-guard.js';
import { type Html, html } from './html.js';
import { layout } from './layout.js';
import { type Place, placeOf, topPlace } from './place.js';
import { signOutForm } from './qr-page.js';
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
  const isNoName = error.code === 'invalid_request' && target.path.startsWith('/sessions/');
  if (error.code === 'session_not_found' || isNoName) return noSessionPage(error, caller, place);
  const [heading, wayOut] = wayOutOf(error);
  return layout({
    title: heading,
    tone: error.code === 'redis_unavailable' ? 'wait' : 'bad',
    isLive: true,
    place,
    content: qrRegions({ now: problem(heading, error, wayOut), code: null, state: 'unknown' }),
  });
}

/** The path names none, or one that is not for this caller. */
function noSessionPage({ message }: ApiError, { via }: Caller, { root }: Place): string {
  const heading = 'There is no such session here';
  const otherKey = via === 'cookie' ? ', or sign out and log in with another key' : '';
  return layout({
    ...{ title: heading, tone: 'idle', isLive: false, place: { ...topPlace, root } },
    content: html`<h1>${heading}</h1><p class="why">${message}</p>
<p>Check its name: <a href="${root || '.'}">the overview</a> has the sessions that you may use. It may have been deleted${otherKey}.</p>`,
    footer: via === 'cookie' ? signOutForm({ root }) : null,
  });
}

function forbiddenPage(error: ApiError, isGuest: boolean, place: Place): string {
  if (!isGuest) {
    const wayOut = 'Sign out, then log in with a key that has this scope.';
    return otherKeyPage('Your key does not allow this', error, wayOut, place);
  }
  const title = 'Your link does not show this';
  const content = html`<h1>${title}</h1><p>It shows only <a href="qr">the code</a>.</p>`;
  return layout({ title, tone: 'bad', isLive: false, place, content });
}

/** A page for a browser that may have to log in with another key. */
function otherKeyPage(title: string, error: ApiError, wayOut: string, place: Place): string {
  const { root } = place;
  const content = html`${problem(title, error, wayOut)}
<p><a href="${root || '.'}">Overview</a></p>
<form method="post" action="${root}signout"><button type="submit">Sign out</button></form>`;
  return layout({ title, tone: 'bad', isLive: false, place, content });
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
