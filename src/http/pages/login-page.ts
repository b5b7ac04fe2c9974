import type { ApiError } from '../../contract/errors.js';
import { html } from './html.js';
import { layout } from './layout.js';

export interface LoginPageInput {
  /** Where to go afterwards: one of our own pages. */
  readonly next: string;
  /** What let the browser in before, and does not any more. */
  readonly ended?: 'login' | 'link' | null;
  readonly error?: ApiError;
}

/** Asks for an API key. Whoever followed a link from elsewhere may be logged in without our seeing it yet. */
export function loginPage({ next, ended = null, error }: LoginPageInput): string {
  return layout({
    title: 'Log in',
    tone: error === undefined ? 'idle' : 'bad',
    isLive: false,
    content: html`<h1>Log in</h1>
${error === undefined ? null : html`<p class="why" role="alert">${sentenceOf(error)}</p>`}
${ended === null ? null : html`<p class="why" role="alert">${endedSentences[ended]}</p>`}
<form method="post" action="login?next=${next}">
<input type="text" value="holdline" autocomplete="username" aria-label="User" hidden>
<label for="key">API key</label>
<input id="key" name="key" type="password" required autocomplete="current-password" spellcheck="false"
 autocapitalize="off"${error === undefined ? null : html` aria-invalid="true"`}>
<button type="submit">Log in</button>
</form>
<p class="hint">A key is made on the server with <code>npm run key -- NAME admin</code>. To see the code it takes one
with the scope <code>admin</code>. The login lasts 12 hours.</p>
<p class="hint">Logged in already? <a href="${next}">Go on</a></p>`,
  });
}

const endedSentences = {
  login: 'Your login has ended: by a sign-out, by its time, or with its key. Log in again to go on.',
  link: 'Your QR link has ended: it shows the code for 10 minutes, and never longer than to the next logout of the account. Ask whoever sent it for another.',
};

function sentenceOf(error: ApiError): string {
  if (error.code === 'unauthorized') return 'This key is not known here. Check that it was copied whole.';
  return error.message;
}
