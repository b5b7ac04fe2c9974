import type { ApiError } from '../../contract/errors.js';
import { whatsAppOrigin } from '../../contract/passkey.js';
import { type Html, html } from './html.js';
import { layout } from './layout.js';
import type { Place } from './place.js';

/**
 * The forms of `/qr`. They work without scripts, and only from a page of this server. A form to fill in or to confirm is a page of
 * its own: without scripts `/qr` reloads every 5 seconds.
 */

/** What the forms can ask for. */
export const qrActions = [
  ...(['start', 'restart', 'code', 'stop', 'logout'] as const),
  ...(['passkey-answer', 'passkey-confirm', 'passkey-retry', 'passkey-cancel'] as const),
] as const;
export type QrAction = (typeof qrActions)[number];

export const startForm = actionForm('start', 'Start');
/** A restart begins with a QR. */
export const backToQrForm = actionForm('restart', 'Back to the QR', html` class="quiet"`);

export function codeFormLink(text = 'Use a code instead of the QR'): Html {
  return html`<p class="action"><a href="qr-form?do=code">${text}</a></p>`;
}
export const logoutFormLink = html`<p class="action"><a href="qr-form?do=logout">Log out</a></p>`;
export const stopFormLink = html`<p class="action"><a href="qr-form?do=stop">Stop</a></p>`;

export const passkeyPasteLink = html`<a href="qr-form?do=passkey">Or paste the answer.</a>`;

export function passkeyRetryForm(id: string): Html {
  return actionForm('passkey-retry', 'Try again', null, { id });
}

export function passkeyConfirmForm(id: string, code: string): Html {
  return actionForm('passkey-confirm', 'The phone shows the same code', null, { id, code });
}

/** Also for a code that differs. */
export function passkeyCancelForm(id: string): Html {
  return actionForm('passkey-cancel', 'Cancel, and back to the QR', html` class="quiet"`, { id });
}

function actionForm(
  action: QrAction,
  label: string,
  style: Html | null = null,
  values: Readonly<Record<string, string>> = {},
): Html {
  const hidden = Object.entries(values).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  );
  return html`<form method="post" action="qr-form">${hidden}<button type="submit"${style} name="do" value="${action}">${label}</button></form>`;
}

interface CodeFormInput {
  /** What was typed before. */
  readonly phoneNumber?: string;
  readonly problem?: string | null;
}

/** Asks for the number of the phone, to get a code to type there. */
export function codeFormPage(place: Place, { phoneNumber = '', problem = null }: CodeFormInput = {}): string {
  const invalid = problem === null ? null : html` aria-invalid="true" aria-describedby="problem"`;
  return formPage(
    place,
    'Use a code instead of the QR',
    html`<p>For a phone that cannot scan this screen, for example because it shows this page. WhatsApp on the phone then asks for
a code of eight characters, which the next page shows.</p>
<form method="post" action="qr-form">
${problem === null ? null : html`<p class="why bad" id="problem" role="alert">${problem}</p>`}
<label for="phone">Number of the phone, with its country code</label>
<input id="phone" name="phone_number" type="tel" required autocomplete="tel" placeholder="+1 555 123 4567" value="${phoneNumber}"${invalid}>
<button type="submit" name="do" value="code">Get a code</button>
</form>`,
  );
}

export function logoutFormPage(place: Place): string {
  return formPage(
    place,
    'Log out',
    html`<p>This unlinks the phone and deletes the login on this server. The next start needs a new scan, and messages that wait
to be sent fail.</p>
${actionForm('logout', 'Log out', html` class="danger"`)}`,
  );
}

export function stopFormPage(place: Place): string {
  return formPage(
    place,
    'Stop',
    html`<p>This ends the session until the next start. A linked phone stays linked, and messages that wait to be sent go on
waiting.</p>
${actionForm('stop', 'Stop')}`,
  );
}

interface PasteFormInput {
  /** The command of the open request; null: it is not shown. */
  readonly command: string | null;
  /** What was pasted before. */
  readonly answer?: string;
  readonly problem?: string | null;
}

/** Takes the owner's answer without a script. */
export function passkeyFormPage(
  place: Place,
  { command, answer = '', problem = null }: PasteFormInput,
): string {
  const invalid = problem === null ? null : html` aria-invalid="true" aria-describedby="problem"`;
  return formPage(
    place,
    'Paste the answer',
    html`${
      command === null
        ? null
        : html`<p>Run the command in the console of <a href="${whatsAppOrigin}/" target="_blank" rel="noopener">WhatsApp Web</a>, and use the
passkey there. The page then shows an answer to copy. Use only the command of this page, and only if you have scanned the code yourself.</p>
<pre tabindex="0"><code>${command}</code></pre>`
    }
<form method="post" action="qr-form">
${problem === null ? null : html`<p class="why bad" id="problem" role="alert">${problem}</p>`}
<label for="answer">The answer</label>
<textarea id="answer" name="answer" rows="6" required spellcheck="false" autocomplete="off"${invalid}>
${answer}</textarea>
<button type="submit" name="do" value="passkey-answer">Give it to WhatsApp</button>
</form>`,
  );
}

/** Answers a form whose request failed. */
export function formProblemPage({ message }: ApiError, place: Place): string {
  return formPage(place, 'This did not work', html`<p class="why bad" role="alert">${message}</p>`);
}

function formPage(place: Place, title: string, content: Html): string {
  return layout({
    ...{ title, tone: 'idle', isLive: false, place },
    content: html`<h1>${title}</h1>
${content}
<p class="hint"><a href="qr">Back</a></p>`,
  });
}
