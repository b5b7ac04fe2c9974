import type { Logger } from '../../platform/logger.js';
import type { FailureLog } from './failure-log.js';
import type { ServedRequest } from './served-request.js';

/**
 * Logs a request whose response has closed. The line never contains a query, a body, a header or the value of a path
 * parameter.
 */
export function logRequest(log: Logger, failures: FailureLog, served: ServedRequest): void {
  const { request, response, requestId, match, caller, problem, startedAt } = served;
  const isFailure = response.statusCode >= 500;
  if (!isFailure && !log.isLevelEnabled('debug')) return;
  const facts = {
    requestId,
    method: request.method,
    // An unknown path may contain anything, even a secret.
    path: match?.resource.path ?? '(unknown)',
    status: response.statusCode,
    durationMs: Math.round(performance.now() - startedAt),
    ...(caller.keyName === '' ? {} : { key: caller.keyName, scope: caller.scope }),
    ...(response.writableFinished ? {} : { isAborted: true }),
  };
  if (!isFailure) log.debug(facts, 'request');
  else if (problem === null) log.warn(facts, 'request failed');
  else failures.add(facts, problem, 'request failed');
}
