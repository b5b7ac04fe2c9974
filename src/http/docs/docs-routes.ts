import type { Route } from '../core/exchange.js';
import { htmlType, send } from '../core/responses.js';
import { problemPage } from '../pages/problem-page.js';
import { type Asset, scripts, stylesheets } from './assets.js';
import { docsPage, docsPolicy } from './docs-page.js';

/** `GET /docs`, the API as a page, and the files that it loads. */
export function createDocsRoutes(): Route[] {
  return [
    {
      ...{ method: 'GET', path: '/docs', scope: 'read', problemPage },
      async handle({ response }) {
        send(response, 200, htmlType, docsPage, { 'content-security-policy': docsPolicy });
      },
    },
    ...[...stylesheets, ...scripts].map(assetRoute),
  ];
}

function assetRoute({ name, type, read }: Asset): Route {
  return {
    ...{ method: 'GET', path: `/docs/${name}`, scope: 'read' },
    async handle({ response }) {
      send(response, 200, type, await read(), { 'cache-control': 'public, max-age=31536000, immutable' });
    },
  };
}
