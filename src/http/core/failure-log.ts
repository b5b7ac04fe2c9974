import { type ApiError, type ApiErrorCode, messageOf } from '../../contract/errors.js';
import type { Logger } from '../../platform/logger.js';

/** The failures with one code are over when none has come for this long. */
const quietMs = 60_000;

/** A series ends after this long even if failures go on: then the next one is a warning again. */
const longestSeriesMs = 600_000;

/** Failures with one code, since the first one that was logged. */
interface Series {
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly end: NodeJS.Timeout;
}

/**
 * Logs failed requests. A defect of ours (`internal_error`) is logged each time, with its stack. Every other failure is expected,
 * and callers repeat it: during an outage they poll. Of these, the first one with a code is a warning, the later ones are debug
 * lines, and when they are over, one line says how many there were.
 */
export class FailureLog {
  readonly #log: Logger;
  readonly #quietMs: number;
  readonly #series = new Map<ApiErrorCode, Series>();

  constructor(log: Logger, quiet = quietMs) {
    this.#log = log;
    this.#quietMs = quiet;
  }

  /** `sentence`: what failed. */
  add(facts: Record<string, unknown>, error: ApiError, sentence: string): void {
    const { code } = error;
    if (code === 'internal_error') {
      this.#log.warn({ ...facts, code, err: error.cause ?? error }, sentence);
      return;
    }
    const now = performance.now();
    if (now - (this.#series.get(code)?.firstAt ?? now) > longestSeriesMs) this.#end(code);
    const series = this.#series.get(code);
    const level = series === undefined ? 'warn' : 'debug';
    this.#log[level]({ ...facts, code, error: error.message, ...redisReply(error) }, sentence);
    const end = setTimeout(() => this.#end(code), this.#quietMs).unref();
    clearTimeout(series?.end);
    const { count, firstAt } = series ?? { count: 0, firstAt: now };
    this.#series.set(code, { count: count + 1, firstAt, lastAt: now, end });
  }

  /** Ends every series now. */
  close(): void {
    for (const code of [...this.#series.keys()]) this.#end(code);
  }

  #end(code: ApiErrorCode): void {
    const series = this.#series.get(code);
    if (series === undefined) return;
    clearTimeout(series.end);
    this.#series.delete(code);
    if (series.count === 1) return;
    const { count, firstAt, lastAt } = series;
    const withinS = Math.ceil((lastAt - firstAt) / 1_000);
    this.#log.warn({ code, count, withinS }, 'requests failed; only the first one was logged');
  }
}

/** What Redis itself replied. The texts of its client add nothing to the message of the error. */
function redisReply({ cause }: ApiError): { reply?: string } {
  return cause instanceof Error && cause.name === 'ReplyError' ? { reply: messageOf(cause) } : {};
}
