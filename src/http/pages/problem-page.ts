import type { ApiError } from '../../contract/errors.js';
import { html } from './html.js';
import { noImage } from './qr-page.js';
import { shell } from './shell.js';

/** What a browser is shown where the session's state cannot be read. */
export function problemPage(error: ApiError): string {
  const isOutage = error.code === 'redis_unavailable';
  const heading = isOutage ? 'The store is not reachable' : 'Something went wrong';
  return shell({
    title: heading,
    tone: 'bad',
    content: html`<h1>${heading}</h1>
<p class="why">${error.message}</p>
<p>${
      isOutage
        ? 'The state of the session is kept in Redis, which does not answer. The session itself may well be running. Check that Redis is up; this page recovers by itself.'
        : 'The log of this server says what happened.'
    }</p>
${noImage}
<p class="state" role="status"><span class="dot" aria-hidden="true"></span>State: <strong>unknown</strong></p>`,
  });
}
