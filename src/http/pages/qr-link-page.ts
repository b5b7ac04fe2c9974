import { ApiError } from '../../contract/errors.js';
import { qrPagePath } from '../../contract/names.js';
import { html } from './html.js';
import { layout } from './layout.js';

/** The page that a QR link opens. The code is behind a button, because chat programs open links for their previews. */
export const qrLinkPage = layout({
  title: 'Link a phone',
  tone: 'busy',
  isLive: false,
  content: html`<h1>Link a phone</h1>
<p>This link asks you to link your WhatsApp account to a server. The person who runs that server can then read your
messages and send messages as you. Continue only if you know who sent you this link, and why.</p>
<form method="post">
<button type="submit">Show the code</button>
</form>
<p class="hint">This works once, from the start of the login on. The code can then be seen in this browser for 10 minutes.</p>`,
});

export const invalidLinkSentence =
  'this link has been used, has expired, was made before a logout, or never existed';

/** Somebody opened the link some minutes ago. Only the page says of which session it was. */
export class UsedLinkError extends ApiError {
  readonly session: string;

  constructor(session: string) {
    super('not_found', invalidLinkSentence);
    this.session = session;
  }
}

/** Replaces that page if the link cannot be opened. */
export function qrLinkProblemPage(error: ApiError): string {
  const isGone = error.code === 'not_found';
  return layout({
    title: isGone ? 'This link does not work' : 'Something went wrong',
    tone: 'bad',
    isLive: false,
    content: isGone
      ? html`<h1>This link does not work</h1>
<p>It was opened before, it is too old, the account has logged out since, or it was not copied whole. Ask for another one.</p>
${error instanceof UsedLinkError ? html`<p class="hint">Opened in this browser, within the last 10 minutes? <a href="..${qrPagePath(error.session)}">Go to the code</a></p>` : ''}`
      : html`<h1>Something went wrong</h1><p class="why">${error.message}</p><p>Try again in a moment.</p>`,
  });
}
