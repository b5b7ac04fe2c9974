import type { Route } from '../core/exchange.js';
import { jsonType, send } from '../core/responses.js';
import { openApiDocument } from './document.js';

/** `GET /openapi.json`. The document is made once; each answer puts its own server URL in. */
export function createOpenApiRoute(): Route {
  const [before = '', after = ''] = JSON.stringify(openApiDocument()).split('"servers":[]', 2);
  return {
    ...{ method: 'GET', path: '/openapi.json', scope: 'read' },
    async handle({ response, admission }) {
      const servers = JSON.stringify([{ url: admission.baseUrl }]);
      send(response, 200, jsonType, `${before}"servers":${servers}${after}`);
    },
  };
}
