import { ApiError } from '../../contract/errors.js';
import { idOfNumber, type Recipient } from '../../contract/whatsapp.js';
import type { WhatsAppClient } from '../whatsapp/client.js';
import { PageLacksError } from '../whatsapp/page-errors.js';
import { pageAnswerMs } from './parts.js';

/**
 * The id that WhatsApp has for a recipient. For a number it may be the id of another number than the dialled one. Throws
 * `not_on_whatsapp`.
 */
export async function chatIdOf(
  client: WhatsAppClient,
  { phone_number, chat_id }: Recipient,
): Promise<string> {
  if (chat_id !== undefined) return chat_id;
  const digits = phone_number ?? '';
  try {
    const person = await client.ask('lookUp', { digits }, pageAnswerMs);
    if (person === null) throw notOnWhatsApp(digits);
    return person.id;
  } catch (error) {
    // A page that cannot look numbers up opens the chat by the number. A number that is not on WhatsApp has no chat.
    if (error instanceof PageLacksError) return idOfNumber(digits);
    throw error;
  }
}

/** `digits`: null if the recipient was given by its id. */
export function notOnWhatsApp(digits: string | null): ApiError {
  return new ApiError(
    'not_on_whatsapp',
    digits === null
      ? 'WhatsApp has no such person, and this account is in no such group'
      : `${maskPhone(digits)} is not on WhatsApp`,
  );
}

/** For logs and messages: enough to recognise the number, not enough to call it. */
function maskPhone(digits: string): string {
  return `+${digits.slice(0, 2)}…${digits.slice(-2)}`;
}
