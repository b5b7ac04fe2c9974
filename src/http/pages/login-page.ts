import type { ApiError } from '../../contract/errors.js';
import { html } from './html.js';
import { layout } from './layout.js';

export interface LoginPageInput {
  /** The page to go to afterwards: `qr`, `docs` or `.`, the first page. */
  readonly next: string;
  /** The access that the browser had until it ended. */
  readonly ended?: 'login' | 'link' | null;
  readonly error?: ApiError;
  /** The browser may have a cookie that it did not send. */
  readonly mayBeLoggedIn?: boolean;
}

/**
 * Asks for an API key. A browser that follows a link from another site does not send its cookie (`SameSite=Strict`). It may be
 * logged in already, so the login page has a link to the page that the browser wanted.
 */
export function loginPage({ next, ended = null, error, mayBeLoggedIn = false }: LoginPageInput): string {
  return layout({
    title: 'Log in',
    tone: error === undefined ? 'idle' : 'bad',
    isLive: false,
    content: html`<h1>Log in</h1>
${error === undefined ? null : html`<p class="why" role="alert">${alertText(error)}</p>`}
${ended === null ? null : html`<p class="why" role="alert">${endedSentences[ended]}</p>`}
<form method="post" action="login?next=${next}">
<input type="text" value="holdline" autocomplete="username" aria-label="User" hidden>
<label for="key">API key</label>
<input id="key" name="key" type="password" required autocomplete="current-password" spellcheck="false"
 autocapitalize="off"${error === undefined ? null : html` aria-invalid="true"`}>
<button type="submit">Log in</button>
</form>
<p class="hint">Make a key on the server with <code>npm run key -- NAME admin</code>. Only a key with the scope
<code>admin</code> shows the code. The login lasts 12 hours.</p>
${mayBeLoggedIn ? html`<p class="hint">Already logged in? <a href="${next}">Continue</a></p>` : null}`,
  });
}

const endedSentences = {
  login:
    'Your login has ended: you signed out, it expired after 12 hours, or its key was removed. Log in again to continue.',
  link: 'Your QR link has ended: it shows the code for at most 10 minutes, and only until the account logs out. Ask the person who sent it for another one.',
};

function alertText(error: ApiError): string {
  if (error.code === 'unauthorized') return 'This key is not known here. Check that it was copied whole.';
  return error.message;
}
