import type { Status } from '../../contract/status.js';
import { type Html, html } from './html.js';
import { layout } from './layout.js';
import { helpFor, numberOf, type Situation } from './state-help.js';

export interface QrPageInput extends Omit<Situation, 'hasImage'> {
  /** The code as base64 of its PNG, 360x360; null where there is none. */
  readonly image: string | null;
  /** Of the code's life, whole; null where nobody knows. */
  readonly secondsLeft: number | null;
  /** By a login in this browser, which can be ended. */
  readonly isLoggedIn: boolean;
}

/** The page that links the phone: what to do now, the code or the sentence that there is none, the state. */
export function qrPage({ image, secondsLeft, isLoggedIn, ...situation }: QrPageInput): string {
  const { status } = situation;
  const advice = helpFor({ ...situation, hasImage: image !== null });
  return layout({
    title: advice.heading,
    tone: advice.tone,
    isLive: true,
    footer: isLoggedIn ? signOutForm : null,
    content: html`<h1><bdi>${advice.heading}</bdi></h1>
${advice.content}
${image === null ? noImage : tile(image, status.qr)}
<p class="state" role="status"><span class="dot" aria-hidden="true"></span>State: <strong>${status.state}</strong></p>
${image === null ? null : codeFacts(status, secondsLeft)}
${facts(status)}
${image === null ? hint : null}`,
  });
}

const signOutForm = html`<form method="post" action="signout"><button type="submit" class="quiet">Sign out</button></form>`;

/** The sentence of the reference API, verbatim. */
export const noImage = html`<p class="none">No QR is available yet. Start auth, then refresh this page.</p>`;

/** Beside a code the same stands in its instructions. */
export const hint = html`<p class="hint">Where to scan a code in WhatsApp on the phone:
<span class="path">Settings -> Linked devices -> Link a device</span></p>`;

export function tile(image: string, qr: Status['qr']): Html {
  const which = qr === null ? 'QR code' : `QR code number ${qr.number}`;
  const alt = `${which}: scan it with WhatsApp on your phone to link this device`;
  return html`<div class="tile"><img src="data:image/png;base64,${image}" width="360" height="360" alt="${alt}"></div>`;
}

/** Whole seconds until the code is replaced, at least 0; null where that is not known. */
export function secondsLeft({ qr }: Status, nowMs: number): number | null {
  const expiresAt = qr?.expires_at ?? null;
  return expiresAt === null ? null : Math.max(0, Math.ceil((Date.parse(expiresAt) - nowMs) / 1_000));
}

function codeFacts({ qr }: Status, left: number | null): Html | null {
  if (qr === null) return null;
  if (left === null) return html`<p class="code">Code ${qr.number}, replaced by itself</p>`;
  const until = left > 0 ? `replaced in ${left} s` : 'replaced any moment';
  return html`<p class="code">Code ${qr.number}, <span data-left="${left}">${until}</span></p>`;
}

function facts(status: Status): Html | null {
  const { account } = status;
  const rows: (readonly [string, string | null])[] = [
    ['Name', account?.pushname ?? null],
    ['Number', numberOf(account)],
    ['Phone', account?.platform ?? null],
    ['Restarts', status.restarts > 0 ? String(status.restarts) : null],
  ];
  const items = rows.flatMap(([term, value]) =>
    value ? [html`<dt>${term}</dt><dd><bdi>${value}</bdi></dd>`] : [],
  );
  return items.length === 0 ? null : html`<dl>${items}</dl>`;
}
