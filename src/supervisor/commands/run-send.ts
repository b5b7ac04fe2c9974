import {
  failedSend,
  isWipedSince,
  type SendJob,
  type SendOutcome,
  sharedSendOutcomes,
  unknownSend,
} from '../../contract/command-jobs.js';
import { messageOf } from '../../contract/errors.js';
import type { SendRecord } from '../../platform/store/send-attempts.js';
import { CommandInterruptedError, CommandRefusedError } from '../thread-rpc.js';
import { LookupUnansweredError, PageAttempt, type SendContext } from './send-attempt.js';
import { SendPendingError } from './send-batch.js';
import type { Attempted } from './send-outcomes.js';

/** The wait before the same page is called again: it may be reloading. */
const retryAfterInterruptionMs = 1_000;
const retryAfterLookupMs = 2_000;

const unansweredLookupsMax = 3;

/**
 * Sends one message once, in the order of its chat. `recorded`: the record of an earlier attempt, if any. An attempt is
 * recorded under the fence before the page is called. From then on the message may have been sent: after an interruption
 * the page is first searched for its id. The next send of the chat may start once the page has this message; it does not
 * wait for the acknowledgement. null: this run is ending, and the next owner takes the job.
 *
 * Not guaranteed: that the outcome is known. Without the profile or the id of the attempt it is `unknown`. Throws if Redis
 * refuses a write, or if the fence belongs to another run.
 */
export async function runSend(
  jobId: string,
  job: SendJob,
  recorded: SendRecord['attempt'],
  context: SendContext,
): Promise<SendOutcome | null> {
  const { availability, place, ending, expiresAt } = context;
  if (recorded === 'unreadable') return unreadableAttempt;
  if (recorded !== null) {
    if (recorded.messageId === null) return attemptWithoutId;
    place.joinChatOf(recorded);
  }
  let latest: Attempted | null = recorded as Attempted | null;
  for (;;) {
    const earlier = latest;
    const outcome = outcomeWithoutPage(job, earlier, context);
    if (outcome !== null) return outcome;
    const { message } = job;
    if (message === null) return unknownSend('interrupted', 'the text of the message is gone');
    const { period } = availability;
    const incarnation = availability.in('ready');
    if (incarnation === null || !place.mayStart(period)) {
      await place.change(expiresAt - performance.now(), ending);
      if (ending.aborted) return null;
      continue;
    }
    try {
      const page = new PageAttempt({ jobId, job: { ...job, message }, incarnation, period }, context);
      const result = await page.send(earlier, (attempt) => {
        latest = attempt;
      });
      if (result !== 'again') return result;
    } catch (error) {
      if (error instanceof CommandRefusedError) return refused(earlier, error);
      if (!(error instanceof CommandInterruptedError)) throw error;
      if (error instanceof SendPendingError && performance.now() - error.since >= context.sendHungMs) {
        place.onPageHung(period);
        const seconds = Math.round(context.sendHungMs / 1_000);
        incarnation.end({
          reason: 'send_hung',
          message: `WhatsApp Web did not finish a send within ${seconds} s`,
        });
      }
      place.unmarkInPage();
      const isUnanswered = error instanceof LookupUnansweredError;
      const waitMs = isUnanswered ? retryAfterLookupMs : retryAfterInterruptionMs;
      const isOver = await periodEnds(period, waitMs, context);
      // If the page ended, that may be why the lookup was not answered.
      if (isUnanswered && !isOver) place.onLookupUnanswered(error.since);
    }
    place.unmarkInPage();
    if (ending.aborted) return null;
  }
}

export const unreadableAttempt = unknownSend(
  'interrupted',
  'the record of an earlier attempt cannot be read; it is not known whether the message was sent',
);

const attemptWithoutId = unknownSend(
  'interrupted',
  'an earlier attempt was recorded without an id; it is not known whether the message was sent',
);

/** The outcome, if it is known without the page; else null. */
function outcomeWithoutPage(
  job: SendJob,
  attempt: Attempted | null,
  context: SendContext,
): SendOutcome | null {
  const wid = context.wid();
  const isVoid =
    isWipedSince(job, context.wipedEpoch()) || (job.wid !== null && wid !== null && job.wid !== wid);
  if (isVoid && attempt === null) {
    return sharedSendOutcomes.accountChanged;
  }
  const profileId = context.profileId();
  if (isVoid || (attempt !== null && profileId !== null && attempt.profileId !== profileId)) {
    return sharedSendOutcomes.loginLost;
  }
  if (performance.now() > context.expiresAt) {
    return attempt === null ? sharedSendOutcomes.expired : sharedSendOutcomes.notAcknowledged;
  }
  if (context.place.unansweredLookups < unansweredLookupsMax) return null;
  const message = 'WhatsApp did not answer whether the recipient is on WhatsApp';
  return refused(attempt, new CommandRefusedError('whatsapp_error', message));
}

/** `unknown` after an earlier attempt, which may have sent the message; else `failed`. */
function refused(earlier: Attempted | null, error: CommandRefusedError): SendOutcome {
  if (earlier !== null) {
    return unknownSend('interrupted', `the send was interrupted, and then refused: ${messageOf(error)}`);
  }
  return failedSend(
    error.code === 'not_on_whatsapp' ? 'not_on_whatsapp' : 'whatsapp_error',
    messageOf(error),
  );
}

/** Waits until the period or the run ends, for `ms` at most. Resolves to whether one did. */
async function periodEnds(period: number, ms: number, context: SendContext): Promise<boolean> {
  const { availability, ending } = context;
  const until = performance.now() + ms;
  while (availability.period === period && performance.now() < until && !ending.aborted) {
    await availability.change(until - performance.now(), ending);
  }
  return availability.period !== period || ending.aborted;
}
