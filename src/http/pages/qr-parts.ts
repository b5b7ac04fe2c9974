import type { SessionState } from '../../contract/status.js';
import { type Html, html } from './html.js';

/** The parts that the operator's page, the guest's page and the problem page share. */

/** `image`: a PNG of 360x360 pixels as base64. `number` counts the codes of this login; null: not known, or hidden from guests. */
export function codeImage(image: string, number: number | null): Html {
  const name = number === null ? 'QR code' : `QR code number ${number}`;
  const alt = `${name}: scan it with WhatsApp on your phone to link this device`;
  return html`<div class="tile"><img src="data:image/png;base64,${image}" width="360" height="360" alt="${alt}"></div>`;
}

/** Replaces the code while there is none. The reference API fixes this sentence. */
export const noCode = html`<p class="none">No QR is available yet. Start auth, then refresh this page.</p>`;

export function stateLine(state: SessionState | 'unknown'): Html {
  return html`<p class="state" role="status"><span class="dot" aria-hidden="true"></span>State: <strong>${state}</strong></p>`;
}

/** Shown with a code. */
export const scanSteps = html`<ol>
<li>Open WhatsApp on your phone.</li>
<li>Go to <strong>Settings -> Linked devices -> Link a device</strong>.</li>
<li>Point the phone at this code.</li>
</ol>`;

/** Shown while there is no code. */
export const scanHint = html`<p class="hint">Where to scan a code in WhatsApp on the phone:
<span class="path">Settings -> Linked devices -> Link a device</span></p>`;

/** For the person with the phone. It reveals nothing about the server or the account. */
export const passkeyHelp = html`<p>Before WhatsApp links a device to this account, it wants the passkey of the person who
owns it. A passkey is kept on that person's own phone or computer; the browser on this server does not have it. So this
account cannot be linked here for now.</p>
<ul>
<li>On the phone, do not continue: close the question of WhatsApp. Nothing has been linked.</li>
<li>Use another account. WhatsApp asks only some of them for a passkey.</li>
<li>Or try again on another day: WhatsApp does not always ask the same accounts.</li>
</ul>`;
