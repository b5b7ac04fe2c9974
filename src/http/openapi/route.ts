import type { Route } from '../core/exchange.js';
import { jsonType, send } from '../core/responses.js';
import { found, type RouteDoc } from '../core/route-doc.js';
import { openApiDocument } from './document.js';

/**
 * `GET /openapi.json`: describes these routes and itself. The document is made once. Only the server URL is inserted for each
 * request.
 */
export function createOpenApiRoute(routes: readonly Route[]): Route {
  const route = { method: 'GET', path: '/openapi.json', scope: 'read', doc } as const;
  const document = openApiDocument([...routes, { ...route, handle: async () => undefined }]);
  const [before = '', after = ''] = JSON.stringify(document).split('"servers":[]', 2);
  return {
    ...route,
    async handle({ response, admission }) {
      const servers = JSON.stringify([{ url: admission.baseUrl }]);
      send(response, 200, jsonType, `${before}"servers":${servers}${after}`);
    },
  };
}

const doc: RouteDoc = {
  ...{ operationId: 'openapi', tag: 'About', summary: 'This document' },
  responses: { 200: found('application/json', { type: 'object' }) },
};
