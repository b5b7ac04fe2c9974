import type { Logger } from '../../platform/logger.js';
import type { ServedRequest } from './served-request.js';

/** One line a request, when its answer is out. Never a query, a body, a header or what stands in a path's place. */
export function logRequest(log: Logger, served: ServedRequest): void {
  const { request, response, requestId, found, caller, problem, startedAt } = served;
  const isFailure = response.statusCode >= 500;
  if (!isFailure && !log.isLevelEnabled('debug')) return;
  const facts = {
    requestId,
    method: request.method,
    // Where there is none, it may hold whatever its sender typed.
    path: found?.place.path ?? '(unknown)',
    status: response.statusCode,
    durationMs: Math.round(performance.now() - startedAt),
    ...(caller.keyName === '' ? {} : { key: caller.keyName, scope: caller.scope }),
    ...(response.writableFinished ? {} : { isAborted: true }),
    ...(problem && isFailure ? { code: problem.code, err: problem.cause ?? problem } : {}),
  };
  if (isFailure) log.warn(facts, 'request failed');
  else log.debug(facts, 'request');
}
