import type { Status } from '../../contract/status.js';
import { type Html, html } from './html.js';
import { layout } from './layout.js';
import { codeImage, noCode, scanHint, stateLine } from './qr-parts.js';
import { helpFor, phoneNumberOf, type Situation } from './state-help.js';

export interface QrPageInput extends Omit<Situation, 'hasCode'> {
  /** The code as base64 of a PNG, 360x360; null: there is none. */
  readonly image: string | null;
  /** Whole seconds until the code is replaced; null: not known. */
  readonly secondsLeft: number | null;
  /** The viewer is logged in with a cookie. The page then has a button to sign out. */
  readonly isLoggedIn: boolean;
}

/** The page that links the phone. It has what to do now, the code or the sentence that there is none, and the state. */
export function qrPage({ image, secondsLeft, isLoggedIn, ...situation }: QrPageInput): string {
  const { status } = situation;
  const { heading, tone, content } = helpFor({ ...situation, hasCode: image !== null });
  return layout({
    title: heading,
    tone,
    isLive: true,
    footer: isLoggedIn ? signOutForm : null,
    content: html`<h1><bdi>${heading}</bdi></h1>
${content}
${image === null ? noCode : codeImage(image, status.qr?.number ?? null)}
${stateLine(status.state)}
${image === null ? null : codeLine(status, secondsLeft)}
${factList(status)}
${image === null ? scanHint : null}`,
  });
}

const signOutForm = html`<form method="post" action="signout"><button type="submit" class="quiet">Sign out</button></form>`;

/** Whole seconds until the code is replaced, at least 0; null: not known. */
export function secondsLeft({ qr }: Status, nowMs: number): number | null {
  const expiresAt = qr?.expires_at ?? null;
  return expiresAt === null ? null : Math.max(0, Math.ceil((Date.parse(expiresAt) - nowMs) / 1_000));
}

function codeLine({ qr }: Status, left: number | null): Html | null {
  if (qr === null) return null;
  if (left === null) return html`<p class="code">Code ${qr.number}, replaced by itself</p>`;
  const until = left > 0 ? `replaced in ${left} s` : 'replaced any moment';
  return html`<p class="code">Code ${qr.number}, <span data-left="${left}">${until}</span></p>`;
}

function factList(status: Status): Html | null {
  const { account } = status;
  const rows: (readonly [string, string | null])[] = [
    ['Name', account?.pushname ?? null],
    ['Number', phoneNumberOf(account)],
    ['Phone', account?.platform ?? null],
    ['Restarts', status.restarts > 0 ? String(status.restarts) : null],
  ];
  const items = rows.flatMap(([term, value]) =>
    value ? [html`<dt>${term}</dt><dd><bdi>${value}</bdi></dd>`] : [],
  );
  return items.length === 0 ? null : html`<dl>${items}</dl>`;
}
