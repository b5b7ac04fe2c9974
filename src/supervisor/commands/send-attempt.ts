import { z } from 'zod';
import {
  type SendAttempt,
  type SendJob,
  type SendOutcome,
  sharedSendOutcomes,
  unknownSend,
} from '../../contract/command-jobs.js';
import type { PreparedMessage, SendCommands } from '../../contract/worker-commands.js';
import type { Incarnation } from '../incarnation.js';
import {
  CommandInterruptedError,
  CommandRefusedError,
  CommandUnansweredError,
  pageCallMs,
} from '../thread-rpc.js';
import type { Availability } from './availability.js';
import type { LookupLimiter } from './lookup-limiter.js';
import type { HandoverResult } from './send-batch.js';
import type { SendBatcher } from './send-batcher.js';
import type { SendPlace } from './send-order.js';
import { type Attempted, outcomeOfFound } from './send-outcomes.js';

/** What a send needs from its run. The functions return the current value. */
export interface SendContext {
  readonly availability: Availability;
  readonly place: SendPlace;
  /** Aborts when the run ends here, for any reason. */
  readonly ending: AbortSignal;
  readonly wipedEpoch: () => number;
  readonly wid: () => string | null;
  readonly profileId: () => string | null;
  readonly batcher: SendBatcher;
  readonly lookups: LookupLimiter;
  /** Records an attempt under the fence. Unless the result is `recorded`, the page must not be called. */
  readonly recordAttempt: (attempt: SendAttempt) => Promise<'recorded' | 'fenced' | 'late'>;
  readonly ackDeadlineMs: number;
  readonly sendHungMs: number;
  /** The message must not be sent after this, on the clock of `performance`. */
  readonly expiresAt: number;
}

/** WhatsApp did not answer who the recipient is. The message was not given to the page. */
export class LookupUnansweredError extends CommandInterruptedError {
  /** When the lookup began, on the clock of `performance`. */
  readonly since: number;

  constructor(since: number, message: string) {
    super(message);
    this.since = since;
  }
}

/** Instead of an answer: the period of readiness is over, or this run is ending. */
const noAnswer: unique symbol = Symbol('noAnswer');

interface PageAttemptOptions {
  readonly jobId: string;
  readonly job: SendJob & { readonly message: string };
  readonly incarnation: Incarnation;
  /** The period of readiness. */
  readonly period: number;
}

/** One attempt to send a message, on one page, in one period of its readiness. */
export class PageAttempt {
  readonly #options: PageAttemptOptions;
  readonly #context: SendContext;

  constructor(options: PageAttemptOptions, context: SendContext) {
    this.#options = options;
    this.#context = context;
  }

  /**
   * `earlier`: the last recorded attempt, whose message is looked for first. `onAttempt`: called once a new attempt is
   * recorded. `again`: not settled in this period. null: this run is ending. Throws {@link LookupUnansweredError} and the
   * errors of {@link SendBatcher.handOver}.
   */
  async send(
    earlier: Attempted | null,
    onAttempt: (attempt: Attempted) => void,
  ): Promise<SendOutcome | 'again' | null> {
    const { profileId } = this.#context;
    if (earlier !== null) {
      if (!(await this.#untilFirst())) return this.#unsettled;
      const found = await this.#find(earlier);
      if (found !== 'absent') return found;
      if (this.#context.place.hungPages >= hungPagesMax) return hung;
    }
    // A lookup changes nothing, so it need not wait for its turn. Its predecessors go to the page at the same time.
    const prepared = await this.#prepare();
    if (prepared === noAnswer) return this.#unsettled;
    const profile = profileId();
    if (profile === null) throw new CommandInterruptedError('the profile is gone');
    const attempt = { ...prepared, profileId: profile, at: Date.now() };
    if (earlier !== null && earlier.messageId !== attempt.messageId) {
      // The chat has another id now, so the earlier message may be found under another id too.
      const found = await this.#find(attempt);
      if (found !== 'absent') return found;
    }
    switch (await this.#handOver(attempt, onAttempt)) {
      case 'sent':
        return this.#untilAcknowledged(attempt);
      case 'late':
        return sharedSendOutcomes.expired;
      case 'again':
        return this.#unsettled;
    }
  }

  /** Looks for the message in the page. `absent`: the page does not have it. */
  async #find(attempt: Attempted): Promise<SendOutcome | 'absent' | 'again' | null> {
    const { messageId } = attempt;
    const found = await this.#whileCurrent(this.#call('findSent', { messageId }, pageCallMs));
    if (found === noAnswer) return this.#unsettled;
    if (found === null) return 'absent';
    this.#context.place.markInPage(this.#options.period);
    return this.#untilAcknowledged(attempt);
  }

  async #prepare(): Promise<PreparedMessage | typeof noAnswer> {
    const { place, lookups, ending } = this.#context;
    const { phoneNumber, chatId } = this.#options.job;
    let since = 0;
    const lookUp = async () => {
      if (!this.#isCurrent || this.#isExpired || ending.aborted) return noAnswer;
      since = performance.now();
      return this.#call('prepareSend', { phoneNumber, chatId, jobId: this.#options.jobId }, pageCallMs);
    };
    try {
      // An answered lookup is in the session worker's cache. It does not reach WhatsApp, so it needs no limit.
      const answer = place.isLookedUp(this.#options.period) ? lookUp() : lookups.run(lookUp);
      const output = await this.#whileCurrent(answer, this.#context.expiresAt);
      if (output === noAnswer) return noAnswer;
      const prepared = preparedSchema.safeParse(output);
      if (!prepared.success) {
        throw new CommandRefusedError('whatsapp_error', 'WhatsApp Web gave no id for the message');
      }
      place.onLookupAnswered(this.#options.period, prepared.data);
      return prepared.data;
    } catch (error) {
      throw error instanceof CommandUnansweredError ? new LookupUnansweredError(since, error.message) : error;
    }
  }

  /** `late`, `again`: also if its time or the period ended before its turn came. */
  async #handOver(attempt: Attempted, onAttempt: (attempt: Attempted) => void): Promise<HandoverResult> {
    const { batcher, place, recordAttempt, expiresAt } = this.#context;
    const handover = batcher.handOver({
      ...{ jobId: this.#options.jobId, job: this.#options.job, place, attempt, period: this.#options.period },
      record: async () => {
        const recorded = await recordAttempt(attempt);
        if (recorded === 'recorded') onAttempt(attempt);
        return recorded;
      },
    });
    const result = await this.#whileCurrent(handover, expiresAt);
    if (result !== noAnswer) return result;
    if (!batcher.withdraw(place)) return handover;
    return this.#isExpired ? 'late' : 'again';
  }

  get #unsettled(): 'again' | null {
    return this.#context.ending.aborted ? null : 'again';
  }

  /** Waits until the page has all predecessors. False: the period, the run or the send's time ended first. */
  async #untilFirst(): Promise<boolean> {
    const { place, expiresAt, ending } = this.#context;
    while (place.predecessors(this.#options.period) > 0) {
      if (!this.#isCurrent || ending.aborted || performance.now() > expiresAt) return false;
      await place.change(expiresAt - performance.now(), ending);
    }
    return this.#isCurrent && !ending.aborted;
  }

  /** `again`: the period ended first, so the message must be looked for. The next send of the chat does not wait for this. */
  async #untilAcknowledged(attempt: Attempted): Promise<SendOutcome | 'again'> {
    const { batcher, place, ackDeadlineMs } = this.#context;
    const input = { messageId: attempt.messageId, waitMs: ackDeadlineMs };
    batcher.markInFlight(place);
    try {
      const found = await this.#whileCurrent(this.#call('untilAcked', input, ackDeadlineMs + pageCallMs));
      if (found === noAnswer) return 'again';
      if (found === null) throw new CommandInterruptedError('the page no longer has the message');
      return outcomeOfFound(this.#options.job, attempt, found);
    } finally {
      batcher.release(place);
    }
  }

  /**
   * Settles as `answer` does, or with {@link noAnswer} as soon as the period is over, this run is ending, or it is `until` (on
   * the clock of `performance`).
   */
  async #whileCurrent<T>(answer: Promise<T>, until = Infinity): Promise<T | typeof noAnswer> {
    const { availability, ending } = this.#context;
    const answered = new AbortController();
    const untilPeriodEnds = async (): Promise<typeof noAnswer> => {
      while (this.#isCurrent && !answered.signal.aborted && performance.now() <= until) {
        await availability.change(until - performance.now(), answered.signal);
      }
      return noAnswer;
    };
    const end = () => answered.abort();
    ending.addEventListener('abort', end);
    answer.catch(() => undefined);
    try {
      if (ending.aborted) return noAnswer;
      return await Promise.race([answer, untilPeriodEnds()]);
    } finally {
      ending.removeEventListener('abort', end);
      answered.abort();
    }
  }

  get #isExpired(): boolean {
    return performance.now() > this.#context.expiresAt;
  }

  get #isCurrent(): boolean {
    return this.#context.availability.period === this.#options.period;
  }

  #call<Name extends keyof SendCommands>(name: Name, input: SendCommands[Name]['input'], timeoutMs: number) {
    const options = { timeoutMs, requestIds: [this.#options.job.requestId] };
    return this.#options.incarnation.commands.call<SendCommands[Name]['output']>(name, input, options);
  }
}

/** A message that this many pages began to send and did not finish is not given to another page. */
const hungPagesMax = 2;

const hung = unknownSend(
  'interrupted',
  `WhatsApp Web began to send the message ${hungPagesMax} times and did not finish it; it is not known whether it was sent`,
);

/** Both ids are needed to find the message again. */
const preparedSchema = z.object({
  chatId: z.string().min(1).max(1_000),
  messageId: z.string().min(1).max(1_000),
  phone: z
    .string()
    .regex(/^\d{1,32}$/)
    .nullable()
    .catch(null),
});
