import type { ApiError, ApiErrorCode } from '../../contract/errors.js';

/** What an agent can do about an error, with its tools. Codes that need no hint are missing. */
const hints: Partial<Record<ApiErrorCode, (qrUrl: string) => string>> = {
  session_not_started: (qrUrl) =>
    `Call whatsapp_start_auth first. Unless a phone is linked already, a person then scans the QR at ${qrUrl}.`,
  login_required: (qrUrl) =>
    `Ask a person to link their phone first: ${qrUrl} says how. While the state is qr they scan the QR at ${qrUrl}, or enter a code that whatsapp_pairing_code gives you. Then try again.`,
  login_failed: (qrUrl) =>
    `Call whatsapp_start_auth to try again; a person may have to scan the QR at ${qrUrl}.`,
  session_not_found: () => 'Call whatsapp_list_sessions for the names there are.',
  session_not_ready: () => 'Try again; whatsapp_status has the state.',
  idempotency_conflict: () => 'Use another idempotency_key for another message.',
  not_on_whatsapp: () => 'Check the number and its country code with the person who gave it.',
  not_supported_by_page: () =>
    'Trying again does not help: WhatsApp changed its page, and the operator has to update the server. `page` in the answer of whatsapp_status says what works.',
  forbidden: () => 'The API key in use does not allow this; a person has to provide another.',
};

/** A text that says what went wrong, the error code, and what to do. */
export function failureText(error: ApiError, qrUrl: string): string {
  const { code, message, details, headers } = error;
  const jobId = details.job_id;
  const seconds = headers['retry-after'];
  const lines = [
    `${message} (${code})`,
    hints[code]?.(qrUrl),
    typeof jobId === 'string' && code !== 'not_on_whatsapp'
      ? `The job of the message is ${jobId}. Before you send the message again, call whatsapp_message_status with this id.`
      : undefined,
    seconds === undefined ? undefined : `Wait ${seconds} s before the next try.`,
  ];
  return lines.filter((line) => line !== undefined).join('\n');
}
