import { z } from 'zod';
import type { SendAttempt, SendJob, SendOutcome } from '../../contract/command-jobs.js';
import type { PreparedMessage, SendCommands } from '../../contract/worker-commands.js';
import type { Incarnation } from '../incarnation.js';
import type { Availability } from './availability.js';
import type { LookUps } from './look-ups.js';
import type { Handed, SendBatcher } from './send-batcher.js';
import type { SendPlace } from './send-order.js';
import { type Attempted, failed, outcomeOf, unknown } from './send-outcomes.js';
import {
  CommandInterruptedError,
  CommandRefusedError,
  CommandUnansweredError,
  pageCallMs,
} from './thread-rpc.js';

/** What a send needs to know of its run, as it is at each moment. */
export interface SendContext {
  readonly availability: Availability;
  readonly place: SendPlace;
  /** Aborts when the run ends here, for whatever reason. */
  readonly ending: AbortSignal;
  readonly wipedEpoch: () => number;
  readonly wid: () => string | null;
  readonly profileId: () => string | null;
  readonly feed: SendBatcher;
  readonly lookUps: LookUps;
  /** Anything but `recorded`: the page must not be called. */
  readonly recordAttempt: (attempt: SendAttempt) => Promise<'recorded' | 'fenced' | 'late'>;
  readonly ackDeadlineMs: number;
  readonly sendHungMs: number;
  /** When its time to be sent is over, on the clock of `performance`. */
  readonly expiresAt: number;
}

/** Nobody has said who the recipient is; the message was not given to the page. */
export class LookUpUnansweredError extends CommandInterruptedError {
  /** When the look-up began, on the clock of `performance`. */
  readonly since: number;

  constructor(since: number, message: string) {
    super(message);
    this.since = since;
  }
}

/** The period of readiness is over, or the run ends here. */
const over: unique symbol = Symbol('over');

interface PageAttemptOptions {
  readonly jobId: string;
  readonly job: SendJob & { readonly message: string };
  readonly incarnation: Incarnation;
  /** Of readiness. */
  readonly period: number;
}

/** One attempt to send, on one page, in one period of its readiness. */
export class PageAttempt {
  readonly #options: PageAttemptOptions;
  readonly #context: SendContext;

  constructor(options: PageAttemptOptions, context: SendContext) {
    this.#options = options;
    this.#context = context;
  }

  /** `again`: nothing came of it in this period. null: the run ends here. Throws what {@link SendBatcher.hand} throws. */
  async send(
    earlier: Attempted | null,
    onAttempt: (attempt: Attempted) => void,
  ): Promise<SendOutcome | 'again' | null> {
    const { profileId } = this.#context;
    if (earlier !== null) {
      if (!(await this.#myTurn())) return this.#unsent;
      const found = await this.#find(earlier);
      if (found !== 'absent') return found;
      if (this.#context.place.pagesHung >= pagesHungMax) return hung;
    }
    // Meanwhile those before it go to the page: looking a recipient up changes nothing.
    const prepared = await this.#prepare();
    if (prepared === over) return this.#unsent;
    const profile = profileId();
    if (profile === null) throw new CommandInterruptedError('there is no profile any more');
    const attempt = { ...prepared, profileId: profile, at: Date.now() };
    if (earlier !== null && earlier.messageId !== attempt.messageId) {
      // The chat has another id meanwhile, and so may have the message of the attempt before.
      const found = await this.#find(attempt);
      if (found !== 'absent') return found;
    }
    switch (await this.#hand(attempt, onAttempt)) {
      case 'sent':
        return this.#acknowledged(attempt);
      case 'late':
        return failed('expired', 'the message could not be sent in time');
      case 'again':
        return this.#unsent;
    }
  }

  /** `absent`: the page does not have it. */
  async #find(attempt: Attempted): Promise<SendOutcome | 'absent' | 'again' | null> {
    const { messageId } = attempt;
    const found = await this.#whileCurrent(this.#call('findSent', { messageId }, pageCallMs));
    if (found === over) return this.#unsent;
    if (found === null) return 'absent';
    this.#context.place.placed(this.#options.period);
    return this.#acknowledged(attempt);
  }

  async #prepare(): Promise<PreparedMessage | typeof over> {
    const { place, lookUps, ending } = this.#context;
    const { phoneNumber, chatId } = this.#options.job;
    let since = 0;
    const lookUp = async () => {
      if (!this.#isCurrent || ending.aborted) return over;
      since = performance.now();
      return this.#call('prepareSend', { phoneNumber, chatId, jobId: this.#options.jobId }, pageCallMs);
    };
    try {
      // The session worker remembers what was answered: that is no question to WhatsApp.
      const answer = place.isAnswered(this.#options.period) ? lookUp() : lookUps.run(lookUp);
      const output = await this.#whileCurrent(answer);
      if (output === over) return over;
      const prepared = preparedSchema.safeParse(output);
      if (!prepared.success) {
        throw new CommandRefusedError('whatsapp_error', 'WhatsApp Web gave no id for the message');
      }
      place.answered(this.#options.period, prepared.data);
      return prepared.data;
    } catch (error) {
      throw error instanceof CommandUnansweredError ? new LookUpUnansweredError(since, error.message) : error;
    }
  }

  /** Settles when the page has it, or when its turn did not come before the page was not ready any more. */
  async #hand(attempt: Attempted, onAttempt: (attempt: Attempted) => void): Promise<Handed> {
    const { feed, place, recordAttempt } = this.#context;
    const handed = feed.hand({
      ...{ jobId: this.#options.jobId, job: this.#options.job, place, attempt, period: this.#options.period },
      record: async () => {
        const recorded = await recordAttempt(attempt);
        if (recorded === 'recorded') onAttempt(attempt);
        return recorded;
      },
    });
    const answer = await this.#whileCurrent(handed);
    if (answer !== over) return answer;
    return feed.withdraw(place) ? 'again' : handed;
  }

  get #unsent(): 'again' | null {
    return this.#context.ending.aborted ? null : 'again';
  }

  /** False: the page is not ready any more, or the run ends, before its turn came. */
  async #myTurn(): Promise<boolean> {
    const { place, expiresAt, ending } = this.#context;
    while (place.ahead(this.#options.period) > 0) {
      if (!this.#isCurrent || ending.aborted || performance.now() > expiresAt) return false;
      await place.change(expiresAt - performance.now(), ending);
    }
    return this.#isCurrent && !ending.aborted;
  }

  /** The next one goes on meanwhile. Should the page's readiness end, the message is looked for anew. */
  async #acknowledged(attempt: Attempted): Promise<SendOutcome | 'again'> {
    const { feed, place, ackDeadlineMs } = this.#context;
    const input = { messageId: attempt.messageId, waitMs: ackDeadlineMs };
    feed.acts(place);
    try {
      const found = await this.#whileCurrent(this.#call('untilAcked', input, ackDeadlineMs + pageCallMs));
      if (found === over) return 'again';
      if (found === null) throw new CommandInterruptedError('the page does not have the message any more');
      return outcomeOf(this.#options.job, attempt, found);
    } finally {
      feed.rests(place);
    }
  }

  async #whileCurrent<T>(answer: Promise<T>): Promise<T | typeof over> {
    const { availability, ending } = this.#context;
    const answered = new AbortController();
    const outlived = async (): Promise<typeof over> => {
      while (this.#isCurrent && !answered.signal.aborted)
        await availability.change(Infinity, answered.signal);
      return over;
    };
    const end = () => answered.abort();
    ending.addEventListener('abort', end);
    answer.catch(() => undefined);
    try {
      if (ending.aborted) return over;
      return await Promise.race([answer, outlived()]);
    } finally {
      ending.removeEventListener('abort', end);
      answered.abort();
    }
  }

  get #isCurrent(): boolean {
    return this.#context.availability.period === this.#options.period;
  }

  #call<Name extends keyof SendCommands>(name: Name, input: SendCommands[Name]['input'], timeoutMs: number) {
    const how = { timeoutMs, requestIds: [this.#options.job.requestId] };
    return this.#options.incarnation.commands.call<SendCommands[Name]['output']>(name, input, how);
  }
}

/** A message on which so many pages hung is not given to another. */
const pagesHungMax = 2;

const hung = unknown(
  'interrupted',
  `WhatsApp Web began to send the message ${pagesHungMax} times and did not end it; nobody can tell whether it went out`,
);

/** Without one of its ids nobody could find the message again. */
const preparedSchema = z.object({
  chatId: z.string().min(1).max(1_000),
  messageId: z.string().min(1).max(1_000),
  phone: z
    .string()
    .regex(/^\d{1,32}$/)
    .nullable()
    .catch(null),
});
