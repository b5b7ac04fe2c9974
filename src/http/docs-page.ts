import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { sha256Hex } from '../platform/digest.js';
import type { Route } from './core/exchange.js';
import { htmlType, send } from './core/responses.js';
import { found, type RouteDoc, textSchema } from './core/route-doc.js';
import { sessionPathsTag } from './openapi/session-paths.js';
import { html } from './pages/html.js';
import { pageHead } from './pages/layout.js';
import { problemPage } from './pages/problem-page.js';

/** `GET /docs`: the API in Swagger UI, and the files that this page loads. */
export function createDocsRoutes(): Route[] {
  return [
    {
      ...{ method: 'GET', path: '/docs', scope: 'read', problemPage, doc },
      async handle({ response }) {
        send(response, 200, htmlType, docsPage, { 'content-security-policy': docsPolicy });
      },
    },
    ...docsAssets.map(assetRoute),
  ];
}

const doc: RouteDoc = {
  ...{ operationId: 'docs', tag: 'About', summary: 'This document as a page' },
  responses: { 200: found('text/html', textSchema) },
};

function assetRoute({ name, type, read }: Asset): Route {
  return {
    ...{ method: 'GET', path: `/docs/${name}`, scope: 'read', doc: null },
    async handle({ response }) {
      send(response, 200, type, await read(), { 'cache-control': 'public, max-age=31536000, immutable' });
    },
  };
}

/** A file that the page loads. */
interface Asset {
  readonly name: string;
  readonly type: string;
  /** Part of the URL in the page, so that browsers may cache the file forever. */
  readonly version: string;
  /** Reads the file once; every call resolves to the same buffer. */
  read(): Promise<Buffer>;
}

const cssType = 'text/css; charset=utf-8';
const jsType = 'text/javascript; charset=utf-8';

/** The version that package.json pins. */
const swaggerUiVersion = '5.35.0';

/**
 * Starts Swagger UI with only what this API has: one document, one host, no login form. For each operation that is opened,
 * Swagger UI processes the whole document. It is given only the path of that operation: no path refers to another one. The
 * paths of named sessions repeat those above, so their tag is closed until somebody opens it or follows a link into it.
 */
const startScript = `
const dark = matchMedia('(prefers-color-scheme: dark)');
const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', follow);
follow();

const onePathAtATime = ({ fn: { resolveSubtree } }) => ({
  fn: {
    resolveSubtree(document, place, options) {
      const [part, path] = place;
      const paths = part === 'paths' ? { [path]: document.paths[path] } : {};
      return resolveSubtree({ ...document, paths }, place, options);
    },
  },
});

const closedTag = ['operations-tag', ${JSON.stringify(sessionPathsTag.name)}].join();
const isShown = (original) => (state, key, byDefault) =>
  original(key, byDefault && [key].flat().join() !== closedTag);
const closeTag = { statePlugins: { layout: { wrapSelectors: { isShown } } } };

SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  validatorUrl: null,
  plugins: [onePathAtATime, closeTag],
});
`;

const barStyle = `
:root{color-scheme:light dark}
body{margin:0;background:#f3f5f4;font-family:system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
.dark-mode body{background:#0f1513;color:#e7eeeb}
.bar{display:flex;flex-wrap:wrap;align-items:center;gap:.25rem 1.25rem;padding:.75rem 1.25rem;background:#0b6b50;color:#fff}
.bar p{margin:0;font-weight:600}
.bar a{color:#fff}
.bar a:focus-visible{outline:2px solid #fff;outline-offset:2px}
/* The document has no links between answers. Without their empty column an open operation fits a narrow screen. */
.swagger-ui .response-col_links{display:none}
.swagger-ui .responses-inner,.swagger-ui .table-container{overflow-x:auto}
`;

const stylesheets: readonly Asset[] = [
  packagedAsset('swagger-ui.css', cssType, import.meta.resolve('swagger-ui-dist/swagger-ui.css')),
  inlineAsset('page.css', cssType, barStyle),
];

const scripts: readonly Asset[] = [
  packagedAsset('swagger-ui-bundle.js', jsType, import.meta.resolve('swagger-ui-dist/swagger-ui-bundle.js')),
  inlineAsset('start.js', jsType, startScript),
];

/** Everything that `/docs` loads. */
export const docsAssets: readonly Asset[] = [...stylesheets, ...scripts];

function packagedAsset(name: string, type: string, url: string): Asset {
  let bytes: Promise<Buffer> | null = null;
  const read = () => {
    bytes ??= readFile(fileURLToPath(url)).catch((error: unknown) => {
      bytes = null;
      throw error;
    });
    return bytes;
  };
  return { name, type, version: swaggerUiVersion, read };
}

function inlineAsset(name: string, type: string, text: string): Asset {
  const version = sha256Hex(text).slice(0, 12);
  const bytes = Buffer.from(text);
  return { name, type, version, read: async () => bytes };
}

/** The page runs and loads only files of this server; the icons of Swagger UI are inline images. */
const docsPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  'img-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** All links are relative, because a proxy may serve the product below a path prefix. */
const docsPage = html`<!doctype html>
<html lang="en">
${pageHead('API', html`${stylesheets.map((asset) => html`<link rel="stylesheet" href="${urlOf(asset)}">\n`)}`)}
<body>
<header class="bar"><p>Holdline API</p><a href="qr">Link a phone</a><a href="openapi.json">openapi.json</a></header>
<main id="swagger-ui"></main>
<noscript><p>This page needs JavaScript. <a href="openapi.json">openapi.json</a> has the same as text.</p></noscript>
${scripts.map((asset) => html`<script src="${urlOf(asset)}"></script>\n`)}</body>
</html>
`.text;

function urlOf({ name, version }: Asset): string {
  return `docs/${name}?v=${version}`;
}
