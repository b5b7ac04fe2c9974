import { createHash } from 'node:crypto';
import { Html, html } from './html.js';
import { css } from './style.js';

/** How well things stand, as a colour; what it means is always said in words too. */
export type Tone = 'idle' | 'busy' | 'good' | 'bad';

export interface PageParts {
  readonly title: string;
  readonly tone: Tone;
  readonly content: Html;
  /** It reloads by itself, to follow what it shows. */
  readonly isLive: boolean;
  /** Below the content, with whatever else there is to do. */
  readonly footer?: Html | null;
}

const styleHash = createHash('sha256').update(css).digest('base64');

/** Nothing is loaded, run or framed by a page: it is text, one style, one inline image, and forms to ourselves. */
export const pagePolicy = [
  "default-src 'none'",
  'img-src data:',
  `style-src 'sha256-${styleHash}'`,
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

export const icon =
  'data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22 viewBox=%220 0 16 16%22%3E%3Crect width=%2216%22 height=%2216%22 rx=%224%22 fill=%22%230b6b50%22/%3E%3Cpath d=%22M5 4v8M11 4v8M5 8h6%22 stroke=%22%23fff%22 stroke-width=%222%22/%3E%3C/svg%3E';

/** The frame of every page. Reloading is the page's only way to follow the session: no script runs here. */
export function shell({ title, tone, content, isLive, footer = null }: PageParts): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${
  isLive
    ? html`<meta http-equiv="refresh" content="5">
`
    : null
}<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title} · Holdline</title>
<link rel="icon" href="${new Html(icon)}">
<style>${new Html(css)}</style>
</head>
<body class="${tone}">
<header><p class="brand"><span aria-hidden="true" class="mark">H</span> Holdline</p></header>
<main>
${content}
</main>
<footer>${footer}${isLive ? html`<p>This page reloads every 5 seconds.</p>` : null}</footer>
</body>
</html>
`;
  return page.text;
}
