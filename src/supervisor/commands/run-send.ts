import { messageOf } from '../../contract/errors.js';
import type { FoundMessage, SendCommands } from '../../contract/send-commands.js';
import type { SendAttempt, SendJob, SendOutcome } from '../../contract/send-jobs.js';
import type { Incarnation } from '../incarnation.js';
import type { Availability } from './availability.js';
import { CommandInterruptedError, CommandRefusedError, pageCallMs } from './command-port.js';
import type { Handed, SendFeed } from './send-feed.js';
import type { SendPlace } from './send-order.js';

/** What a send needs to know of its run, as it is at each moment. */
export interface SendContext {
  readonly availability: Availability;
  readonly place: SendPlace;
  /** Aborts when the run ends here, for whatever reason. */
  readonly ending: AbortSignal;
  readonly wipedEpoch: () => number;
  readonly wid: () => string | null;
  readonly profileId: () => string | null;
  readonly feed: SendFeed;
  /** Anything but `recorded`: the page must not be called. */
  readonly recordAttempt: (attempt: SendAttempt) => Promise<'recorded' | 'fenced' | 'late'>;
  readonly ackDeadlineMs: number;
  /** When its time to be sent is over, on the clock of `performance`. */
  readonly expiresAt: number;
}

/** How many before it may still be on their way to the page when a number is looked up. */
const preparedAhead = 7;

/**
 * Sends one message, once, in its place: `recorded` is the record of an attempt before, if any. An attempt is recorded
 * under the fence before the page is called; from then on the message may be out, and after an interruption it is looked
 * for by its id before anything else. Whoever comes after it may go on once the page has it, while it waits for the
 * acknowledgement. null: the run ends here; the job is for the next owner.
 *
 * Not guaranteed: an answer. Where the profile of the attempt is gone nobody can tell, and the outcome is `unknown`.
 * Throws what Redis refuses, and where the fence is not this run's.
 */
export async function runSend(
  jobId: string,
  job: SendJob,
  recorded: SendAttempt | null,
  context: SendContext,
): Promise<SendOutcome | null> {
  const { availability, place, ending, expiresAt } = context;
  let latest = recorded;
  for (;;) {
    const earlier = latest;
    const verdict = withoutPage(job, earlier, context);
    if (verdict !== null) return verdict;
    const { period } = availability;
    const incarnation = availability.in('ready');
    if (incarnation === null || place.ahead(period) > preparedAhead) {
      await availability.change(expiresAt - performance.now(), ending);
      if (ending.aborted) return null;
      continue;
    }
    try {
      const page = new SendPage(jobId, job, incarnation, period, context);
      const outcome = await page.send(earlier, (attempt) => {
        latest = attempt;
      });
      if (outcome !== 'again') return outcome;
    } catch (error) {
      if (error instanceof CommandRefusedError) {
        // An attempt before this one may have sent it: `failed` would be a lie.
        if (earlier !== null) {
          return unknown('interrupted', `the send was interrupted, and then refused: ${messageOf(error)}`);
        }
        const code = error.code === 'not_on_whatsapp' ? 'not_on_whatsapp' : 'whatsapp_error';
        return { status: 'failed', error: { code, message: messageOf(error) } };
      }
      if (!(error instanceof CommandInterruptedError)) throw error;
      place.lost();
      const waitedUntil = performance.now() + interruptedMs;
      while (availability.period === period && performance.now() < waitedUntil && !ending.aborted) {
        await availability.change(waitedUntil - performance.now(), ending);
      }
    }
    place.lost();
    if (ending.aborted) return null;
  }
}

/** Before the same page is asked again, which may be loading. */
const interruptedMs = 1_000;

/** What can be said without asking WhatsApp; null: nothing yet. */
function withoutPage(job: SendJob, attempt: SendAttempt | null, context: SendContext): SendOutcome | null {
  const wid = context.wid();
  const isVoid =
    job.wipedEpoch < context.wipedEpoch() || (job.wid !== null && wid !== null && job.wid !== wid);
  if (isVoid && attempt === null) {
    return failed('account_changed', 'the account was logged out or changed before the message was sent');
  }
  const profileId = context.profileId();
  if (isVoid || (attempt !== null && profileId !== null && attempt.profileId !== profileId)) {
    return unknown('interrupted', 'the send was interrupted, and the login that could tell is gone');
  }
  if (performance.now() <= context.expiresAt) return null;
  return attempt === null
    ? failed('expired', 'the message could not be sent in time')
    : unknown('not_acknowledged', 'the page has the message, but WhatsApp did not acknowledge it in time');
}

/** One send on one page, in one period of its readiness. */
class SendPage {
  readonly #jobId: string;
  readonly #job: SendJob;
  readonly #incarnation: Incarnation;
  readonly #period: number;
  readonly #context: SendContext;

  constructor(jobId: string, job: SendJob, incarnation: Incarnation, period: number, context: SendContext) {
    this.#jobId = jobId;
    this.#job = job;
    this.#incarnation = incarnation;
    this.#period = period;
    this.#context = context;
  }

  async send(
    earlier: SendAttempt | null,
    onAttempt: (attempt: SendAttempt) => void,
  ): Promise<SendOutcome | 'again' | null> {
    if (earlier !== null) {
      if (!(await this.#myTurn())) return this.#unsent;
      const found = await this.#call('findSent', { messageId: earlier.messageId }, pageCallMs);
      if (found !== null) {
        this.#context.place.placed(this.#period);
        return this.#acknowledged(earlier);
      }
    }
    // Meanwhile those before it go to the page: looking a number up changes nothing.
    const { phoneNumber, message } = this.#job;
    const prepared = await this.#call('prepareSend', { phoneNumber, jobId: this.#jobId }, pageCallMs);
    const profileId = this.#context.profileId();
    if (profileId === null || message === null) return 'again';
    const attempt = { ...prepared, profileId, at: Date.now() };
    switch (await this.#hand(message, attempt, onAttempt)) {
      case 'sent':
        return this.#acknowledged(attempt);
      case 'late':
        return failed('expired', 'the message could not be sent in time');
      case 'again':
        return this.#unsent;
    }
  }

  /** Settles when the page has it, or when its turn did not come before the page was not ready any more. */
  async #hand(
    message: string,
    attempt: SendAttempt,
    onAttempt: (attempt: SendAttempt) => void,
  ): Promise<Handed> {
    const { feed, place, recordAttempt } = this.#context;
    const handed = feed.hand({
      ...{ jobId: this.#jobId, job: { ...this.#job, message }, place, attempt, period: this.#period },
      record: async () => {
        const recorded = await recordAttempt(attempt);
        if (recorded === 'recorded') onAttempt(attempt);
        return recorded;
      },
    });
    const answer = await this.#whileCurrent(handed);
    if (answer !== null) return answer;
    return feed.withdraw(place) ? 'again' : handed;
  }

  get #unsent(): 'again' | null {
    return this.#context.ending.aborted ? null : 'again';
  }

  /** False: the page is not ready any more, or the run ends, before its turn came. */
  async #myTurn(): Promise<boolean> {
    const { availability, place, expiresAt, ending } = this.#context;
    while (place.ahead(this.#period) > 0) {
      if (!this.#isCurrent || ending.aborted || performance.now() > expiresAt) return false;
      await availability.change(expiresAt - performance.now(), ending);
    }
    return this.#isCurrent && !ending.aborted;
  }

  /** The next one goes on meanwhile. Should the page's readiness end, the message is looked for anew. */
  async #acknowledged(attempt: SendAttempt): Promise<SendOutcome | 'again'> {
    const { ackDeadlineMs } = this.#context;
    const input = { messageId: attempt.messageId, waitMs: ackDeadlineMs };
    const found = await this.#whileCurrent(this.#call('untilAcked', input, ackDeadlineMs + pageCallMs));
    return found === null ? 'again' : settled(this.#job, attempt, found);
  }

  /** null: the period is over before, or the run ends. */
  async #whileCurrent<T>(answer: Promise<T>): Promise<T | null> {
    const { availability, ending } = this.#context;
    const answered = new AbortController();
    const outlived = async () => {
      while (this.#isCurrent && !answered.signal.aborted)
        await availability.change(Infinity, answered.signal);
      return null;
    };
    const end = () => answered.abort();
    ending.addEventListener('abort', end);
    answer.catch(() => undefined);
    try {
      if (ending.aborted) return null;
      return await Promise.race([answer, outlived()]);
    } finally {
      ending.removeEventListener('abort', end);
      answered.abort();
    }
  }

  get #isCurrent(): boolean {
    return this.#context.availability.period === this.#period;
  }

  #call<Name extends keyof SendCommands>(name: Name, input: SendCommands[Name]['input'], timeoutMs: number) {
    const how = { timeoutMs, requestIds: [this.#job.requestId] };
    return this.#incarnation.commands.call<SendCommands[Name]['output']>(name, input, how);
  }
}

function settled(job: SendJob, attempt: SendAttempt, found: FoundMessage): SendOutcome {
  if (found.ack < 0) return failed('whatsapp_error', 'WhatsApp refused the message');
  if (found.ack === 0) {
    return unknown(
      'not_acknowledged',
      'the page has the message, but WhatsApp did not acknowledge it in time',
    );
  }
  const sentAt = found.timestamp === null ? attempt.at : found.timestamp * 1_000;
  return {
    status: 'sent',
    result: {
      ok: true,
      to: job.phoneNumber,
      chat_id: attempt.chatId,
      message_id: attempt.messageId,
      timestamp: new Date(sentAt).toISOString(),
    },
  };
}

type SendError = Extract<SendOutcome, { error: unknown }>['error'];

function failed(code: SendError['code'], message: string): SendOutcome {
  return { status: 'failed', error: { code, message } };
}

function unknown(code: SendError['code'], message: string): SendOutcome {
  return { status: 'unknown', error: { code, message } };
}
