import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Admission } from './requests/guard.js';
import type { Target } from './requests/target.js';

/** One admitted request and its answer. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly admission: Admission;
  readonly target: Target;
  /** The segments of the path that its route names. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Aborts when the client leaves before the answer, or when the server closes. */
  readonly signal: AbortSignal;
}

/** An answer of one path; several routes may share a path with different methods. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** `{name}` stands for one segment, whatever it is. */
  readonly path: string;
  handle(exchange: Exchange): Promise<void>;
}

/** Follows the connection and the server, whichever ends first. */
export function signalOf(response: ServerResponse, closing: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const abort = () => controller.abort();
  closing.addEventListener('abort', abort, { once: true });
  response.once('close', () => {
    closing.removeEventListener('abort', abort);
    if (!response.writableFinished) abort();
  });
  if (closing.aborted || response.destroyed) abort();
  return controller.signal;
}
