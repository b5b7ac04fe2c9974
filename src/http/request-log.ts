import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApiError } from '../contract/errors.js';
import type { Logger } from '../platform/logger.js';

export interface LogParts {
  readonly log: Logger;
  readonly requestId: string;
  /** Whether something is served at a path: any other may hold whatever its sender typed. */
  isKnown(path: string): boolean;
}

const problems = new WeakMap<ServerResponse, ApiError>();

/** What became of a request, for its line in the log: an answer tells less than its cause. */
export function noteProblem(response: ServerResponse, problem: ApiError): void {
  problems.set(response, problem);
}

/** One line a request, when its answer is out. Never a query, a body or a path that is not ours. */
export function followRequest(request: IncomingMessage, response: ServerResponse, parts: LogParts): void {
  const { log, requestId, isKnown } = parts;
  const startedAt = performance.now();
  response.once('close', () => {
    const isFailure = response.statusCode >= 500;
    const problem = problems.get(response);
    if (!isFailure && !log.isLevelEnabled('debug')) return;
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const facts = {
      requestId,
      method: request.method,
      path: isKnown(path) ? path : '(unknown)',
      status: response.statusCode,
      durationMs: Math.round(performance.now() - startedAt),
      ...(response.writableFinished ? {} : { isAborted: true }),
      ...(problem && isFailure ? { code: problem.code, err: problem.cause ?? problem } : {}),
    };
    if (isFailure) log.warn(facts, 'request failed');
    else log.debug(facts, 'request');
  });
}
