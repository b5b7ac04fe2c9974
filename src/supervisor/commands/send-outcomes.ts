import {
  failedSend,
  type SendAttempt,
  type SendJob,
  type SendOutcome,
  sharedSendOutcomes,
} from '../../contract/command-jobs.js';
import type { FoundMessage } from '../../contract/worker-commands.js';

/** An attempt whose message can be looked for by its id. */
export type Attempted = SendAttempt & { readonly messageId: string };

/** The outcome of a message that the page has, by WhatsApp's acknowledgement or its absence. */
export function outcomeOfFound(job: SendJob, attempt: Attempted, found: FoundMessage): SendOutcome {
  if (found.ack < 0) return failedSend('whatsapp_error', 'WhatsApp refused the message');
  if (!(found.ack > 0)) return sharedSendOutcomes.notAcknowledged;
  return {
    status: 'sent',
    result: {
      ok: true,
      to: attempt.phone ?? job.phoneNumber ?? attempt.chatId,
      chat_id: attempt.chatId,
      message_id: attempt.messageId,
      timestamp: (timeOf(found.timestamp) ?? new Date(attempt.at)).toISOString(),
    },
  };
}

/** `seconds` comes from the page, so it can be any value. */
function timeOf(seconds: number | null): Date | null {
  const time = new Date(typeof seconds === 'number' ? seconds * 1_000 : Number.NaN);
  return Number.isNaN(time.getTime()) ? null : time;
}
