import type { PairingCode } from '../../contract/pairing-code.js';
import type { SessionState } from '../../contract/status.js';
import { type Html, html } from './html.js';

/** The parts that the operator's page, the guest's page and the problem page share. */

/** The parts of a page about the session. The live script replaces only those that have changed. */
export interface QrRegions {
  /** The heading, and what to do now. */
  readonly now: Html;
  /** null: there is none. */
  readonly code: Html | null;
  /** The code is a QR. Otherwise a small line says that there is none, as the contract demands. */
  readonly hasQr?: boolean;
  readonly state: SessionState | 'unknown';
  /** Facts about the code and the account. */
  readonly facts?: Html | null;
  /** Forms. They are the same as long as the state is, so that nobody loses what is typed. */
  readonly actions?: Html | null;
  /** Where to scan; null: there is nothing to scan, or {@link scanSteps} says it. */
  readonly where?: Html | null;
}

/** The content of a page about the session. Every page has the same regions, also empty ones. */
export function qrRegions({ now, code, hasQr = false, state, ...rest }: QrRegions): Html {
  const { facts = null, actions = null, where = null } = rest;
  return html`<div id="now">${now}</div>
<div id="code">${code}</div>
<p id="state" class="state" role="status">${stateText(state)}</p>
<div id="facts">${facts}</div>
<div id="actions">${actions}</div>
<div id="where">${where}</div>
<div id="foot">${hasQr ? null : noQr}</div>`;
}

/** `image`: a PNG of 360x360 pixels as base64. `number` counts the codes of this login; null: not known, or hidden from guests. */
export function codeImage(image: string, number: number | null): Html {
  const name = number === null ? 'QR code' : `QR code number ${number}`;
  const alt = `${name}: scan it with WhatsApp on your phone to link this device`;
  return html`<div class="tile"><img src="data:image/png;base64,${image}" width="360" height="360" alt="${alt}"></div>`;
}

/** A code to type on the phone, in the two groups in which WhatsApp asks for it. */
export function pairingCodeTile({ code }: PairingCode): Html {
  const [first, second] = inHalves(code);
  return html`<p class="tile typed">${first}<span aria-hidden="true">-</span>${second}</p>`;
}

/** The reference API fixes this sentence for every page without an image. */
const noQr = html`<p class="none">No QR is available yet. Start auth, then refresh this page.</p>`;

const stateWords: Readonly<Record<SessionState | 'unknown', string>> = {
  stopped: 'the session does not run',
  starting: 'WhatsApp Web is loading',
  qr: 'waiting for a phone',
  passkey_required: 'waiting for a passkey',
  authenticated: 'the phone is linked, its chats are loading',
  ready: 'linked and working',
  auth_failure: 'the login failed',
  disconnected: 'not connected to WhatsApp',
  unknown: 'it cannot be read now',
};

export function stateText(state: SessionState | 'unknown'): Html {
  return html`<span class="dot" aria-hidden="true"></span>State: <strong>${state}</strong> <span>(${stateWords[state]})</span>`;
}

/** The contract fixes the hint. It must not break at its arrows. */
const path = html`<span class="path">Settings -> Linked devices -> Link a device</span>`;

/** Shown with a QR. */
export const scanSteps = html`<ol>
<li>Open WhatsApp on your phone.</li>
<li>Go to ${path}</li>
<li>Point the phone at this code.</li>
</ol>`;

/** Shown with a code to type. `phoneNumber`: in digits. */
export function typeSteps({ phone_number }: PairingCode): Html {
  return html`<ol>
<li>On the phone <strong>+${phone_number}</strong>, go to ${path}</li>
<li>There, tap <strong>Link with phone number instead</strong>.</li>
<li>Enter this code.</li>
</ol>`;
}

/** A code to compare with the one on the phone. */
export function compareTile(code: string): Html {
  return html`<p class="tile typed">${inHalves(code).join('-')}</p>`;
}

function inHalves(code: string): [string, string] {
  const half = Math.ceil(code.length / 2);
  return [code.slice(0, half), code.slice(half)];
}

/** Shown while there is no code. */
export const scanHint = html`<p class="hint">Where to scan a code in WhatsApp on the phone: ${path}</p>`;

/** Shown once a phone is linked. */
export const unlinkHint = html`<p class="hint">The phone lists this device under Linked devices. There it was added by ${path}</p>`;
