import type { ApiError, ApiErrorCode } from '../../contract/errors.js';
import { html } from './html.js';
import { layout } from './layout.js';
import { noCode, stateLine } from './qr-parts.js';

/** Problems that a person can solve. */
const knownProblems: Partial<Record<ApiErrorCode, readonly [heading: string, wayOut: string]>> = {
  redis_unavailable: [
    'Redis is not reachable',
    'Redis has the state of the session, and does not answer. The session itself may still be running. Check that Redis is up. This page recovers by itself.',
  ],
  forbidden: [
    'Your key does not allow this',
    'Only a key with the scope admin shows the code. Sign out, then log in with such a key.',
  ],
};

/** Replaces `/qr` or another page of the operator when there is an error. */
export function problemPage(error: ApiError): string {
  const [heading, wayOut] = knownProblems[error.code] ?? [
    'Something went wrong',
    'The log of this server says what happened.',
  ];
  const isForbidden = error.code === 'forbidden';
  return layout({
    title: heading,
    tone: 'bad',
    isLive: !isForbidden,
    content: html`<h1>${heading}</h1>
<p class="why">${error.message}</p>
<p>${wayOut}</p>
${
  isForbidden
    ? html`<form method="post" action="signout"><button type="submit">Sign out</button></form>`
    : html`${noCode}
${stateLine('unknown')}`
}`,
  });
}
