import type { PasskeyStep } from '../../contract/passkey.js';
import { isLinkedState } from '../../contract/status.js';
import { type Html, html } from './html.js';
import { layout } from './layout.js';
import type { Place } from './place.js';
import {
  backToQrForm,
  codeFormLink,
  logoutFormLink,
  passkeyCancelForm,
  passkeyConfirmForm,
  stopFormLink,
} from './qr-forms.js';
import { codeImage, compareTile, pairingCodeTile, qrRegions, scanHint, unlinkHint } from './qr-parts.js';
import type { Situation } from './situation.js';
import { helpFor, phoneNumberOf } from './state-help.js';

export interface QrPageInput extends Situation {
  /** Whole seconds until the code is replaced; null: not known. */
  readonly secondsLeft: number | null;
  /** The viewer is logged in with a cookie. The page then has a button to sign out. */
  readonly isLoggedIn: boolean;
}

/** The page that links the phone. It has what to do now, the code or the sentence that there is none, and the state. */
export function qrPage({ secondsLeft, isLoggedIn, ...situation }: QrPageInput): string {
  const { status, place } = situation;
  const { heading, tone, content } = helpFor(situation);
  return layout({
    title: heading,
    tone,
    isLive: true,
    opensTabs: situation.passkey !== null && situation.isOperator,
    place,
    footer: html`<p><a href="${place.root || '.'}">Overview</a></p>${isLoggedIn ? signOutForm(place) : null}`,
    content: qrRegions({
      now: html`<h1><bdi>${heading}</bdi></h1>${content}`,
      code: codeOf(situation),
      hasQr: situation.image !== null,
      state: status.state,
      facts: html`${codeLine(situation, secondsLeft)}${factList(situation)}`,
      actions: actionsOf(situation),
      where: whereOf(situation),
    }),
  });
}

export function signOutForm({ root }: Pick<Place, 'root'>): Html {
  return html`<form method="post" action="${root}signout"><button type="submit" class="quiet">Sign out</button></form>`;
}

function codeOf({ image, pairingCode, passkey, isOperator, status }: Situation): Html | null {
  if (passkey?.code && isOperator)
    return html`${compareTile(passkey.code)}${passkeyConfirmForm(passkey.id, passkey.code)}`;
  if (pairingCode !== null) return pairingCodeTile(pairingCode);
  return image === null ? null : codeImage(image, status.qr?.number ?? null);
}

/** Whole seconds until the code that is shown expires, at least 0; null: not known, or none is shown. */
export function secondsLeft(
  { status, pairingCode, passkey }: Pick<Situation, 'status' | 'pairingCode' | 'passkey'>,
  nowMs: number,
) {
  const expiresAt = passkey?.expires_at ?? pairingCode?.expires_at ?? status.qr?.expires_at ?? null;
  return expiresAt === null ? null : Math.max(0, Math.ceil((Date.parse(expiresAt) - nowMs) / 1_000));
}

function codeLine(
  { status: { qr }, image, pairingCode, passkey }: Situation,
  left: number | null,
): Html | null {
  const when = html`<span data-left="${left ?? ''}">${timeLeft(left)}</span>`;
  if (passkey !== null) return html`<p class="code">${passkeyEnds[passkey.step]} ${when}</p>`;
  if (pairingCode !== null) return html`<p class="code">Expires ${when}; then the QR comes back</p>`;
  if (qr === null || image === null) return null;
  return left === null
    ? html`<p class="code">Code ${qr.number}, replaced by itself</p>`
    : html`<p class="code">Code ${qr.number}, replaced ${when}</p>`;
}

const passkeyEnds: Readonly<Record<PasskeyStep, string>> = {
  answer: 'This request ends',
  phone: 'WhatsApp waits for the phone; this ends',
  code: 'The code ends',
  linking: 'This ends',
  failed: 'The QR comes back',
};

/** The live script writes the same. */
function timeLeft(left: number | null): string {
  if (left === null || left <= 0) return 'any moment';
  return left > 300 ? `in ${Math.ceil(left / 60)} min` : `in ${left} s`;
}

/** The forms besides the button that the help asks to press. */
function actionsOf({ status, start, heartbeat, pairingCode, passkey, isOperator }: Situation): Html | null {
  if (start !== 'none') return null;
  const isStopped = heartbeat !== 'live';
  const stop = isStopped ? null : stopFormLink;
  if (pairingCode !== null) return html`${backToQrForm}${codeFormLink('Get another code')}${stop}`;
  if (passkey !== null && isOperator) return html`${passkeyCancelForm(passkey.id)}${stop}`;
  if (status.state === 'passkey_required') return html`${backToQrForm}${stop}`;
  const isFree = status.state === 'qr' || (status.state === 'stopped' && status.account === null);
  if (isFree) return html`${codeFormLink()}${stop}`;
  const isLinked = status.account !== null || isLinkedState(status.state);
  return html`${isLinked ? logoutFormLink : null}${stop}`;
}

function whereOf({ status, image, pairingCode }: Situation): Html | null {
  if (status.account !== null || isLinkedState(status.state)) return unlinkHint;
  return image === null && pairingCode === null ? scanHint : null;
}

/** What the page of WhatsApp Web calls the phone's app, in words. */
const phoneKinds: Readonly<Record<string, string>> = {
  android: 'Android',
  iphone: 'iPhone',
  smba: 'Android, WhatsApp Business',
  smbi: 'iPhone, WhatsApp Business',
};

function factList({ status }: Situation): Html | null {
  const { account } = status;
  const platform = account?.platform ?? null;
  const rows: (readonly [string, string | null])[] = [
    ['Name', account?.pushname ?? null],
    ['Number', phoneNumberOf(account)],
    [
      'Phone',
      platform === null
        ? null
        : Object.hasOwn(phoneKinds, platform)
          ? (phoneKinds[platform] ?? null)
          : platform,
    ],
    ['Restarts', status.restarts > 0 ? String(status.restarts) : null],
  ];
  const items = rows.flatMap(([term, value]) =>
    value ? [html`<dt>${term}</dt><dd><bdi>${value}</bdi></dd>`] : [],
  );
  return items.length === 0 ? null : html`<dl>${items}</dl>`;
}
