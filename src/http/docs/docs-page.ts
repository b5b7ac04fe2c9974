import { Html, html } from '../pages/html.js';
import { icon } from '../pages/layout.js';
import { type Asset, scripts, stylesheets } from './assets.js';

/** Only this server's own files run, style and load; Swagger UI's icons are inline images. */
export const docsPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  'img-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Its links are relative: the product may be reached below a prefix. */
export const docsPage = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>API · Holdline</title>
<link rel="icon" href="${new Html(icon)}">
${stylesheets.map((asset) => html`<link rel="stylesheet" href="${urlOf(asset)}">\n`)}</head>
<body>
<header class="bar"><p>Holdline API</p><a href="qr">Link a phone</a><a href="openapi.json">openapi.json</a></header>
<main id="swagger-ui"></main>
<noscript><p>This page needs JavaScript; the same as text is <a href="openapi.json">openapi.json</a>.</p></noscript>
${scripts.map((asset) => html`<script src="${urlOf(asset)}"></script>\n`)}</body>
</html>
`.text;

function urlOf({ name, version }: Asset): string {
  return `docs/${name}?v=${version}`;
}
