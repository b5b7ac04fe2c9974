import { defaultSession } from '../../contract/names.js';
import { sha256 } from '../../platform/digest.js';
import { Html, html } from './html.js';
import { liveScript } from './live-script.js';
import { passkeyScript } from './passkey-script.js';
import { linkTo, type Place, topPlace } from './place.js';
import { css } from './style.js';

/**
 * The colour of a page shows the condition of the session; each colour means one thing. The page always says it in words too.
 *
 * - `idle` (grey): nothing runs.
 * - `busy` (blue): on the way to a linked phone.
 * - `good` (green): linked and working.
 * - `wait` (amber): something does not work, and recovers by itself.
 * - `bad` (red): something does not work until a person does something.
 */
export type Tone = 'idle' | 'busy' | 'good' | 'wait' | 'bad';

export interface PageParts {
  readonly title: string;
  readonly tone: Tone;
  readonly content: Html;
  /** Default: at the top. */
  readonly place?: Place;
  /** The events that make a live page update itself, as a relative URL. Default: those of the session of {@link place}. */
  readonly events?: string;
  /** The page updates itself: by a script, or without scripts by reloading. */
  readonly isLive: boolean;
  /** The page opens tabs that answer it. Its response needs the header {@link tabsHeader}. */
  readonly opensTabs?: boolean;
  /** Shown below the content, for example the button to sign out. */
  readonly footer?: Html | null;
}

const [styleHash, ...scriptHashes] = [css, liveScript, passkeyScript].map((text) =>
  sha256(text).toString('base64'),
);

/** Allows one inline style, the inline scripts and inline images; requests and forms go to this server only. */
export const pagePolicy = [
  "default-src 'none'",
  'img-src data:',
  `style-src 'sha256-${styleHash}'`,
  `script-src ${scriptHashes.map((hash) => `'sha256-${hash}'`).join(' ')}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * Headers of this product's pages. Their forms need another referrer policy than other responses: with `no-referrer` a browser
 * would send the origin `null`.
 */
export const pageHeaders: Readonly<Record<string, string>> = {
  'content-security-policy': pagePolicy,
  'referrer-policy': 'same-origin',
};

/** With the usual `same-origin`, a page has no hold of the tabs of other sites that it opens, nor they of it. */
export const tabsHeader: Readonly<Record<string, string>> = {
  'cross-origin-opener-policy': 'same-origin-allow-popups',
};

const icon =
  'data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22 viewBox=%220 0 16 16%22%3E%3Crect width=%2216%22 height=%2216%22 rx=%224%22 fill=%22%230b6b50%22/%3E%3Cpath d=%22M5 4v8M11 4v8M5 8h6%22 stroke=%22%23fff%22 stroke-width=%222%22/%3E%3C/svg%3E';

/** The HTML around the content of every page. */
export function layout({
  title,
  tone,
  content,
  isLive,
  place = topPlace,
  events,
  opensTabs = false,
  footer = null,
}: PageParts): string {
  const isNamed = place.session !== defaultSession;
  const look = html`<meta name="color-scheme" content="light dark">
<style>${new Html(css)}</style>
`;
  const page = html`<!doctype html>
<html lang="en">
${pageHead(isNamed ? `${title} · ${place.session}` : title, html`${isLive ? reloadWithoutScript : null}${look}`)}
<body class="${tone}"${opensTabs ? html` data-tabs="1"` : null}${place === topPlace ? null : html` data-api="${linkTo(place, '/api/')}"`}${events === undefined ? null : html` data-events="${events}"`}>
<header><p class="brand"><span aria-hidden="true" class="mark">H</span> Holdline</p>${isNamed ? html`<p class="session">Session <strong>${place.session}</strong></p>` : null}</header>
<main>
${content}
</main>
<footer>${footer}${isLive ? liveNote : null}</footer>
${isLive ? inlineScript(liveScript) : null}${opensTabs ? inlineScript(passkeyScript) : null}</body>
</html>
`;
  return page.text;
}

function inlineScript(text: string): Html {
  return html`<script>${new Html(text)}</script>
`;
}

const reloadWithoutScript = html`<noscript><meta http-equiv="refresh" content="5"></noscript>
`;

/** The head of a page. `rest`: its last lines. */
export function pageHead(title: string, rest: Html): Html {
  return html`<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} · Holdline</title>
<link rel="icon" href="${new Html(icon)}">
${rest}</head>`;
}

const liveNote = html`<p class="live"></p><noscript><p>This page reloads every 5 seconds.</p></noscript>`;
