import type { ApiError, ApiErrorCode } from '../../contract/errors.js';
import { html } from './html.js';
import { layout } from './layout.js';
import { noImage } from './qr-page.js';

const known: Partial<Record<ApiErrorCode, readonly [heading: string, way: string]>> = {
  redis_unavailable: [
    'The store is not reachable',
    'The state of the session is kept in Redis, which does not answer. The session itself may well be running. Check that Redis is up; this page recovers by itself.',
  ],
  forbidden: [
    'Your key does not allow this',
    'To see the code it takes a key with the scope admin: sign out, and log in with that.',
  ],
};

/** What a browser is shown in place of `/qr` and the other pages of an operator. */
export function problemPage(error: ApiError): string {
  const [heading, way] = known[error.code] ?? [
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
<p>${way}</p>
${
  isForbidden
    ? html`<form method="post" action="signout"><button type="submit">Sign out</button></form>`
    : html`${noImage}
<p class="state" role="status"><span class="dot" aria-hidden="true"></span>State: <strong>unknown</strong></p>`
}`,
  });
}
