import type { MetricsPage } from '../platform/metrics/metrics-page.js';
import type { Route } from './core/exchange.js';
import { send } from './core/responses.js';

/** `GET /metrics`, for Prometheus. */
export function createMetricsRoute(page: MetricsPage): Route {
  return {
    ...{ method: 'GET', path: '/metrics', scope: 'read' },
    async handle({ response }) {
      send(response, 200, page.contentType, await page.render());
    },
  };
}
