import type { Job } from 'bullmq';
import { bounds } from '../../contract/bounds.js';
import { type ReadJob, type ReadReturn, readJobSchema } from '../../contract/command-jobs.js';
import { HoldlineError } from '../../contract/errors.js';
import { readJobKey } from '../../contract/keys.js';
import { findWorkerOperation } from '../../contract/operations.js';
import type { Logger } from '../../platform/logger.js';
import { type Redis, redisTimeMs } from '../../platform/redis/connection.js';
import { quarantineCopy, toJsonText } from '../../platform/redis/quarantine.js';
import { retryUntilSuccess } from '../../platform/retry.js';
import { storeAnswer } from '../../platform/store/read-answers.js';
import type { RunRecorder } from '../metrics/run-recorder.js';
import type { Availability } from './availability.js';
import { runRead } from './run-read.js';

interface SessionReadsOptions {
  readonly redis: Redis;
  readonly session: string;
  readonly availability: Availability;
  readonly recorder: Pick<RunRecorder, 'recordCommand' | 'onBound'>;
  readonly log: Logger;
}

/** Carries out a session's reads and stores their answers. */
export class SessionReads {
  readonly #options: SessionReadsOptions;
  readonly #ending: AbortSignal;

  /** `ending`: aborts when the run ends here. */
  constructor(options: SessionReadsOptions, ending: AbortSignal) {
    this.#options = options;
    this.#ending = ending;
  }

  /** null: this run is ending, and the next owner takes the job. Throws if the data of the job cannot be read. */
  async run(job: Job): Promise<ReadReturn | null> {
    const { redis, session, recorder, log } = this.#options;
    const jobId = job.id ?? '';
    const { success, data: read } = readJobSchema.safeParse(job.data);
    if (!success) {
      await quarantineCopy(redis, readJobKey(session, jobId), toJsonText(job.data));
      throw new HoldlineError('unreadable', 'the data of a read cannot be read');
    }
    const result = await this.#carryOut(read, jobId).catch((error: unknown) => {
      if (!this.#ending.aborted) throw error;
      return null;
    });
    if (result === null) return null;
    const { operation, requestId } = read;
    const outcome = 'stored' in result || result.ok ? 'ok' : result.error.code;
    // A name from Redis that is not in the table must not make a label of its own.
    recorder.recordCommand(findWorkerOperation(operation)?.name ?? 'unknown', outcome, job.timestamp);
    log.debug({ requestId, jobId: job.id, operation, outcome }, 'read settled');
    return result;
  }

  async #carryOut(read: ReadJob, jobId: string): Promise<ReadReturn | null> {
    const { redis, availability } = this.#options;
    const patienceMs = read.notAfter - (await this.#retry(() => redisTimeMs(redis)));
    const outcome = await runRead(read, availability, this.#ending, patienceMs);
    if (outcome === null || !outcome.ok || !read.fetchesAnswer) return outcome;
    return this.#retry(() => this.#store(jobId, outcome.output));
  }

  async #store(jobId: string, output: unknown): Promise<ReadReturn> {
    const { redis, session, recorder } = this.#options;
    // `undefined` is an answer of the session worker too.
    const result = await storeAnswer(redis, session, jobId, JSON.stringify(output) ?? 'null');
    if (result !== 'full') return { stored: true };
    recorder.onBound('readAnswers');
    const message = `answers of ${bounds.readAnswers} bytes wait to be fetched, which is the limit; try again`;
    return { ok: false, error: { code: 'rate_limited', message, retryAfterS: 1 } };
  }

  /** Retries what Redis refuses. Rejects only when this run is ending. */
  #retry<T>(attempt: () => Promise<T>): Promise<T> {
    const sentence = 'Redis refused a step of a read; trying again';
    return retryUntilSuccess(attempt, { signal: this.#ending, log: this.#options.log, sentence });
  }
}
