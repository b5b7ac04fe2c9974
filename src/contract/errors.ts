import type { BoundName } from './bounds.js';

/**
 * Errors that cross a boundary of the product. `code` is stable and may be matched on; `message` is one sentence for a person.
 */
export class HoldlineError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
  }
}

/** Something the operator has to change. The entry prints the message alone and exits with 78 (EX_CONFIG). */
export class OperatorError extends HoldlineError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super('operator', message, options);
  }
}

/** A wait of this product exceeded its deadline. `what` names what did not answer. */
export class DeadlineError extends HoldlineError {
  constructor(what: string, deadlineMs: number) {
    super('deadline', `${what} did not answer within ${deadlineMs / 1000} s`);
  }
}

/** HTTP status of each error code of the API. */
export const httpStatusOf = {
  invalid_request: 400,
  invalid_json: 400,
  unauthorized: 401,
  forbidden: 403,
  host_not_allowed: 403,
  origin_not_allowed: 403,
  not_found: 404,
  qr_not_available: 404,
  job_not_found: 404,
  chat_not_found: 404,
  message_not_found: 404,
  session_not_found: 404,
  key_not_found: 404,
  method_not_allowed: 405,
  session_not_started: 409,
  login_required: 409,
  login_failed: 409,
  idempotency_conflict: 409,
  too_many_sessions: 409,
  key_name_taken: 409,
  key_is_configured: 409,
  too_many_keys: 409,
  passkey_not_pending: 409,
  passkey_superseded: 409,
  body_too_large: 413,
  unsupported_media_type: 415,
  not_on_whatsapp: 422,
  passkey_not_acceptable: 422,
  passkey_code_differs: 422,
  rate_limited: 429,
  queue_full: 429,
  internal_error: 500,
  not_supported_by_page: 501,
  whatsapp_error: 502,
  session_not_ready: 503,
  redis_unavailable: 503,
  timeout: 504,
} as const;

export type ApiErrorCode = keyof typeof httpStatusOf;

/** The statuses that differ where a GET asks for the thing itself, which is not there. */
const httpStatusOfGet: Partial<Record<ApiErrorCode, number>> = { passkey_not_pending: 404 };

export function httpStatusFor(code: ApiErrorCode, method: string): number {
  return (method === 'GET' ? httpStatusOfGet[code] : undefined) ?? httpStatusOf[code];
}

interface ApiErrorOptions {
  /** The method of the request, if the status depends on it. */
  readonly method?: 'GET';
  /** What a caller of the HTTP API can do about it, with a method and a path. An agent, who has only tools, does not get it. */
  readonly httpHint?: string;
  readonly details?: Record<string, unknown>;
  readonly headers?: Record<string, string>;
  readonly bound?: BoundName;
  readonly cause?: unknown;
}

/** An answer of the API that is not a success: `{ error: { code, message, ...details } }`. */
export class ApiError extends HoldlineError {
  declare readonly code: ApiErrorCode;
  readonly details: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
  /** The bound that was reached; null: none. The code that sends this error counts it. */
  readonly bound: BoundName | null;
  readonly #httpHint: string | undefined;
  readonly #method: string;

  constructor(code: ApiErrorCode, message: string, options: ApiErrorOptions = {}) {
    super(code, message, { cause: options.cause });
    this.details = options.details ?? {};
    this.headers = options.headers ?? {};
    this.bound = options.bound ?? null;
    this.#httpHint = options.httpHint;
    this.#method = options.method ?? '';
  }

  get status(): number {
    return httpStatusFor(this.code, this.#method);
  }

  /** The same error with a sentence behind its message. */
  adding(sentence: string): ApiError {
    const { details, headers, cause } = this;
    const options = { details, headers, cause, ...(this.bound === null ? {} : { bound: this.bound }) };
    const hint = this.#httpHint === undefined ? {} : { httpHint: this.#httpHint };
    return new ApiError(this.code, `${this.message}; ${sentence}`, { ...options, ...hint });
  }

  toJSON(): { error: Record<string, unknown> } {
    const message = this.#httpHint === undefined ? this.message : `${this.message}; ${this.#httpHint}`;
    return { error: { code: this.code, message, ...this.details } };
  }
}

/** Any thrown value as one sentence: whatsapp-web.js throws bare strings, puppeteer multi-line messages. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : typeof error === 'string' ? error : String(error);
  return text.split('\n', 1)[0]?.trim() || 'unknown error';
}
