import { messageOf } from '../../contract/errors.js';
import type { FoundMessage, SendCommands } from '../../contract/send-commands.js';
import type { SendAttempt, SendJob, SendOutcome } from '../../contract/send-jobs.js';
import type { Incarnation } from '../incarnation.js';
import type { Availability } from './availability.js';
import { CommandInterruptedError, CommandRefusedError } from './command-port.js';

/** What a send needs to know of its run, as it is at each moment. */
export interface SendContext {
  readonly availability: Availability;
  /** Aborts when the run ends here, for whatever reason. */
  readonly ending: AbortSignal;
  readonly wipedEpoch: () => number;
  readonly wid: () => string | null;
  readonly profileId: () => string | null;
  /** The record of the attempt before this one, if any, and the time by Redis' clock (ms). */
  readonly readAttempt: () => Promise<{ readonly attempt: SendAttempt | null; readonly nowMs: number }>;
  /** Anything but `recorded`: the page must not be called. */
  readonly recordAttempt: (attempt: SendAttempt, notAfter: number) => Promise<'recorded' | 'fenced' | 'late'>;
  readonly ackDeadlineMs: number;
  /** Until when the page may act for this run, should the supervisor freeze now (ms, wall clock). */
  readonly actUntil: () => number;
}

/**
 * Sends one message, once. The attempt is recorded under the fence before the page is called; from then on the
 * message may be out, and after an interruption it is looked for by its id before anything else. null: the run ends
 * here, or is another's; the job is for the next owner.
 *
 * Not guaranteed: an answer. Where the profile of the attempt is gone nobody can tell, and the outcome is `unknown`.
 */
export async function runSend(
  jobId: string,
  job: SendJob,
  context: SendContext,
): Promise<SendOutcome | null> {
  const { availability, ending } = context;
  for (;;) {
    const { attempt, nowMs } = await context.readAttempt();
    const verdict = withoutPage(job, attempt, nowMs, context);
    if (verdict !== null) return verdict;
    const incarnation = availability.in('ready');
    if (incarnation === null) {
      const leftMs = Math.max(1, job.notAfter - nowMs);
      await availability.change(
        AbortSignal.any([ending, AbortSignal.timeout(Math.min(leftMs, 2_147_483_647))]),
      );
      if (ending.aborted) return null;
      continue;
    }
    try {
      const outcome = await onPage(jobId, job, attempt, incarnation, context);
      if (outcome !== 'again') return outcome;
    } catch (error) {
      if (error instanceof CommandRefusedError) {
        // An attempt before this one may have sent it: `failed` would be a lie.
        if (attempt !== null) {
          return unknown('interrupted', `the send was interrupted, and then refused: ${messageOf(error)}`);
        }
        const code = error.code === 'not_on_whatsapp' ? 'not_on_whatsapp' : 'whatsapp_error';
        return { status: 'failed', error: { code, message: messageOf(error) } };
      }
      if (!(error instanceof CommandInterruptedError)) throw error;
      if (ending.aborted) return null;
      if (availability.in('ready') === incarnation)
        await availability.change(AbortSignal.any([ending, AbortSignal.timeout(1_000)]));
    }
    if (ending.aborted) return null;
  }
}

/** What can be said without asking WhatsApp; null: nothing yet. */
function withoutPage(
  job: SendJob,
  attempt: SendAttempt | null,
  nowMs: number,
  context: SendContext,
): SendOutcome | null {
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
  if (nowMs <= job.notAfter) return null;
  return attempt === null
    ? failed('expired', 'the message could not be sent in time')
    : unknown('not_acknowledged', 'the page has the message, but WhatsApp did not acknowledge it in time');
}

async function onPage(
  jobId: string,
  job: SendJob,
  earlier: SendAttempt | null,
  incarnation: Incarnation,
  context: SendContext,
): Promise<SendOutcome | 'again' | null> {
  const call = <Name extends keyof SendCommands>(
    name: Name,
    input: SendCommands[Name]['input'],
    timeoutMs: number,
  ) => {
    const how = { timeoutMs, requestId: job.requestId };
    return incarnation.commands.call<SendCommands[Name]['output']>(name, input, how);
  };
  const find = (messageId: string, waitForAckMs: number) =>
    call('findSent', { messageId, waitForAckMs }, waitForAckMs + commandMs);

  if (earlier !== null) {
    const found = await find(earlier.messageId, context.ackDeadlineMs);
    if (found !== null) return settled(job, earlier, found);
  }
  const { chatId, messageId } = await call('prepareSend', { phoneNumber: job.phoneNumber, jobId }, commandMs);
  const profileId = context.profileId();
  if (profileId === null || job.message === null) return 'again';
  const attempt = { profileId, chatId, messageId, at: Date.now() };
  const recorded = await context.recordAttempt(attempt, job.notAfter);
  if (recorded === 'fenced') return null;
  if (recorded === 'late') return failed('expired', 'the message could not be sent in time');

  const notAfter = context.actUntil();
  await call('sendText', { jobId, chatId, messageId, message: job.message, notAfter }, commandMs);
  const found = await find(messageId, context.ackDeadlineMs);
  return found === null ? 'again' : settled(job, attempt, found);
}

/** Longer than the session worker's own patience with the page. */
const commandMs = 35_000;

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
