import type { SendJob, SendOutcome } from '../../contract/command-jobs.js';
import { messageOf } from '../../contract/errors.js';
import type { SendRecord } from '../../platform/store/send-attempts.js';
import { LookUpUnansweredError, PageAttempt, type SendContext } from './send-attempt.js';
import { SendPendingError } from './send-batcher.js';
import { type Attempted, failed, unknown } from './send-outcomes.js';
import { CommandInterruptedError, CommandRefusedError } from './thread-rpc.js';

/** Before the same page is asked again, which may be loading. */
const interruptedMs = 1_000;
const unansweredMs = 2_000;

const unansweredMax = 3;

/**
 * Sends one message, once, in its place: `recorded` is the record of an attempt before, if any. An attempt is recorded
 * under the fence before the page is called; from then on the message may be out, and after an interruption it is looked
 * for by its id before anything else. Whoever comes after it in its chat may go on once the page has it, while it waits for
 * the acknowledgement. null: the run ends here; the job is for the next owner.
 *
 * Not guaranteed: an answer. Where the profile or the id of the attempt is gone nobody can tell, and the outcome is
 * `unknown`. Throws what Redis refuses, and where the fence is not this run's.
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
    if (recorded.messageId === null) return unfindable;
    place.wentTo(recorded);
  }
  let latest: Attempted | null = recorded as Attempted | null;
  for (;;) {
    const earlier = latest;
    const verdict = withoutPage(job, earlier, context);
    if (verdict !== null) return verdict;
    const { message } = job;
    if (message === null) return unknown('interrupted', 'the text of the message is gone');
    const { period } = availability;
    const incarnation = availability.in('ready');
    if (incarnation === null || !place.mayBegin(period)) {
      await place.change(expiresAt - performance.now(), ending);
      if (ending.aborted) return null;
      continue;
    }
    try {
      const page = new PageAttempt({ jobId, job: { ...job, message }, incarnation, period }, context);
      const outcome = await page.send(earlier, (attempt) => {
        latest = attempt;
      });
      if (outcome !== 'again') return outcome;
    } catch (error) {
      if (error instanceof CommandRefusedError) return refused(earlier, error);
      if (!(error instanceof CommandInterruptedError)) throw error;
      if (error instanceof SendPendingError && performance.now() - error.since >= context.sendHungMs) {
        place.pageHung(period);
        const seconds = Math.round(context.sendHungMs / 1_000);
        incarnation.end({
          reason: 'send_hung',
          message: `WhatsApp Web did not end a send within ${seconds} s`,
        });
      }
      place.lost();
      const isUnanswered = error instanceof LookUpUnansweredError;
      const isOver = await periodEnds(period, isUnanswered ? unansweredMs : interruptedMs, context);
      // One that ended with the page says nothing of the recipient.
      if (isUnanswered && !isOver) place.unanswered(error.since);
    }
    place.lost();
    if (ending.aborted) return null;
  }
}

export const unreadableAttempt = unknown(
  'interrupted',
  'the record of an earlier attempt cannot be read; nobody can tell whether the message went out',
);

const unfindable = unknown(
  'interrupted',
  'an earlier attempt was recorded without an id; nobody can tell whether the message went out',
);

/** What can be said without asking WhatsApp; null: nothing yet. */
function withoutPage(job: SendJob, attempt: Attempted | null, context: SendContext): SendOutcome | null {
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
  if (performance.now() > context.expiresAt) {
    return attempt === null
      ? failed('expired', 'the message could not be sent in time')
      : unknown('not_acknowledged', 'the page has the message, but WhatsApp did not acknowledge it in time');
  }
  if (context.place.unansweredLookUps < unansweredMax) return null;
  const message = 'WhatsApp did not answer whether the recipient is on WhatsApp';
  return refused(attempt, new CommandRefusedError('whatsapp_error', message));
}

/** After an attempt before this one, which may have sent it, `failed` would be a lie. */
function refused(earlier: Attempted | null, error: CommandRefusedError): SendOutcome {
  if (earlier !== null) {
    return unknown('interrupted', `the send was interrupted, and then refused: ${messageOf(error)}`);
  }
  return failed(error.code === 'not_on_whatsapp' ? 'not_on_whatsapp' : 'whatsapp_error', messageOf(error));
}

/** Waits for it, for so long at most. */
async function periodEnds(period: number, ms: number, context: SendContext): Promise<boolean> {
  const { availability, ending } = context;
  const until = performance.now() + ms;
  while (availability.period === period && performance.now() < until && !ending.aborted) {
    await availability.change(until - performance.now(), ending);
  }
  return availability.period !== period || ending.aborted;
}
