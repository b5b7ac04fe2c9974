import type { JobView } from '../../contract/command-jobs.js';

const askLater =
  'Do not send it again. To learn the outcome, call whatsapp_message_status with the id above, in some seconds.';

/** What the status of a message's job means. Without this an agent might send the message again to learn the outcome. */
const meanings: Readonly<Record<JobView['status'], string>> = {
  queued: `The message is accepted and will be sent by itself. ${askLater}`,
  active: `The message is being sent. ${askLater}`,
  sent: 'WhatsApp has the message. Do not send it again.',
  failed:
    'The message was not sent, and will not be. `error` says why. To send it again does not send it twice.',
  unknown:
    'Nobody can tell whether the message was sent. `error` says why. Before you send it again, look for it with whatsapp_read_messages, or ask the person you work for.',
};

/** Follows the answer of a tool that is the job of a message. Other answers need none. */
export function jobHints(body: unknown): string[] {
  if (typeof body !== 'object' || body === null || !('operation' in body && 'status' in body)) return [];
  return Object.hasOwn(meanings, String(body.status)) ? [meanings[body.status as JobView['status']]] : [];
}
