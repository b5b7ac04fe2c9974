import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApiError } from '../contract/errors.js';
import type { Logger } from '../platform/logger.js';
import { type Caller, nobody } from './access/caller.js';

export interface LogParts {
  readonly log: Logger;
  readonly requestId: string;
  /** The route of a path; where there is none, it may hold whatever its sender typed. */
  routeOf(path: string): string | undefined;
}

const problems = new WeakMap<ServerResponse, ApiError>();
const callers = new WeakMap<ServerResponse, Caller>();

/** What became of a request, for its line in the log: an answer tells less than its cause. */
export function noteProblem(response: ServerResponse, problem: ApiError): void {
  problems.set(response, problem);
}

export function noteCaller(response: ServerResponse, caller: Caller): void {
  callers.set(response, caller);
}

/** One line a request, when its answer is out. Never a query, a body, a header or what stands in a path's place. */
export function followRequest(request: IncomingMessage, response: ServerResponse, parts: LogParts): void {
  const { log, requestId, routeOf } = parts;
  const startedAt = performance.now();
  response.once('close', () => {
    const isFailure = response.statusCode >= 500;
    const problem = problems.get(response);
    if (!isFailure && !log.isLevelEnabled('debug')) return;
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const { keyName, scope } = callers.get(response) ?? nobody;
    const facts = {
      requestId,
      method: request.method,
      path: routeOf(path) ?? '(unknown)',
      status: response.statusCode,
      durationMs: Math.round(performance.now() - startedAt),
      ...(keyName === '' ? {} : { key: keyName, scope }),
      ...(response.writableFinished ? {} : { isAborted: true }),
      ...(problem && isFailure ? { code: problem.code, err: problem.cause ?? problem } : {}),
    };
    if (isFailure) log.warn(facts, 'request failed');
    else log.debug(facts, 'request');
  });
}
