import type { ApiError } from '../../contract/errors.js';
import { type Html, html } from './html.js';
import { layout } from './layout.js';

/**
 * The forms of `/qr`. They work without scripts, and only from a page of this server. A form to fill in or to confirm is a page of
 * its own: without scripts `/qr` reloads every 5 seconds.
 */

/** What the forms can ask for. */
export const qrActions = ['start', 'restart', 'code', 'stop', 'logout'] as const;
export type QrAction = (typeof qrActions)[number];

export const startForm = actionForm('start', 'Start');
export const restartForm = actionForm('restart', 'Start again');
/** A restart begins with a QR. */
export const backToQrForm = actionForm('restart', 'Back to the QR', html` class="quiet"`);

export function codeFormLink(text = 'Use a code instead of the QR'): Html {
  return html`<p class="action"><a href="qr-form?do=code">${text}</a></p>`;
}
export const logoutFormLink = html`<p class="action"><a href="qr-form?do=logout">Log out</a></p>`;
export const stopFormLink = html`<p class="action"><a href="qr-form?do=stop">Stop</a></p>`;

function actionForm(action: QrAction, label: string, style: Html | null = null): Html {
  return html`<form method="post" action="qr-form"><button type="submit"${style} name="do" value="${action}">${label}</button></form>`;
}

interface CodeFormInput {
  /** What was typed before. */
  readonly phoneNumber?: string;
  readonly problem?: string | null;
}

/** Asks for the number of the phone, to get a code to type there. */
export function codeFormPage({ phoneNumber = '', problem = null }: CodeFormInput = {}): string {
  const invalid = problem === null ? null : html` aria-invalid="true" aria-describedby="problem"`;
  return formPage(
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

export const logoutFormPage = formPage(
  'Log out',
  html`<p>This unlinks the phone and deletes the login on this server. The next start needs a new scan, and messages that wait
to be sent fail.</p>
${actionForm('logout', 'Log out', html` class="danger"`)}`,
);

export const stopFormPage = formPage(
  'Stop',
  html`<p>This ends the session until the next start. A linked phone stays linked, and messages that wait to be sent go on
waiting.</p>
${actionForm('stop', 'Stop')}`,
);

/** Answers a form whose request failed. */
export function formProblemPage({ message }: ApiError): string {
  return formPage('This did not work', html`<p class="why bad" role="alert">${message}</p>`);
}

function formPage(title: string, content: Html): string {
  return layout({
    ...{ title, tone: 'idle', isLive: false },
    content: html`<h1>${title}</h1>
${content}
<p class="hint"><a href="qr">Back</a></p>`,
  });
}
