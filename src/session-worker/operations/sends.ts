import { bounds } from '../../contract/bounds.js';
import { cutText } from '../../contract/json-size.js';
import type { PreparedMessage, SendCommands, SendRecipient } from '../../contract/worker-commands.js';
import { sha256Hex } from '../../platform/digest.js';
import type { WhatsAppClient } from '../whatsapp/client.js';
import { pageAnswerMs, type SendFunctions } from './parts.js';
import { chatIdOf, notOnWhatsApp } from './recipient.js';

/** Max length of an id in the records of sends. WhatsApp's ids are shorter. */
const longestId = 256;

/**
 * While an acknowledgement is awaited, the message is looked up, in case its event was missed. In ms: the pause before the
 * first look, and the longest. Each pause is twice as long as the one before.
 */
const ackLookMs = { first: 1_000, max: 15_000 };

/** The step that sends. The log shows it at the level info, and the other commands at debug. */
export const sendingStep = 'sendTexts' satisfies keyof SendCommands;

/** The steps of a send. */
export const sendFunctions: SendFunctions = {
  async prepareSend({ client }, { jobId, ...recipient }) {
    const keyId = keyIdOf(jobId);
    const name = recipient.chatId ?? recipient.phoneNumber ?? '';
    const known = client.numbers.get(name);
    if (known !== null)
      return { chatId: known.chatId, messageId: known.messageId(keyId), phone: known.phone };
    const prepared = await prepare(client, recipient, keyId);
    if (prepared.messageId !== '') client.numbers.keep(name, prepared, keyId);
    return prepared;
  },

  async sendTexts({ client }, { messages, notAfter }) {
    const keyed = messages.map((message) => ({ ...message, keyId: keyIdOf(message.jobId) }));
    const answers = await client.ask('sendTexts', { messages: keyed, notAfter }, pageAnswerMs);
    return answers.map((answer) => {
      if (answer.type === 'refused')
        return {
          ...answer,
          message: cutText(`WhatsApp Web did not send: ${answer.message}`, bounds.statusText),
        };
      if (answer.type !== 'key-differs') return { type: answer.type };
      // The address of the account or of the recipient has changed since. The next attempt makes a new key.
      client.numbers.forget();
      return { type: 'late' };
    });
  },

  findSent({ client }, { messageId }) {
    return client.ask('findMessage', { messageId });
  },

  async untilAcked({ client }, { messageId, waitMs }) {
    const until = performance.now() + waitMs;
    for (let pauseMs = ackLookMs.first; ; pauseMs = Math.min(pauseMs * 2, ackLookMs.max)) {
      const acknowledged = await client.acks.next(messageId, Math.min(pauseMs, until - performance.now()));
      if (acknowledged !== null) return acknowledged;
      const found = await client.ask('findMessage', { messageId });
      if (found === null || found.ack !== 0 || performance.now() >= until) return found;
    }
  },
};

async function prepare(
  client: WhatsAppClient,
  { phoneNumber, chatId }: SendRecipient,
  keyId: string,
): Promise<PreparedMessage> {
  const recipient = phoneNumber === null ? { chat_id: chatId ?? '' } : { phone_number: phoneNumber };
  const prepared = await client.ask(
    'prepareMessage',
    { chatId: await chatIdOf(client, recipient), keyId },
    pageAnswerMs,
  );
  if (prepared === null) throw notOnWhatsApp(phoneNumber);
  // An empty id: the supervisor sends nothing.
  return {
    chatId: cutText(prepared.chatId ?? '', longestId),
    messageId: cutText(prepared.messageId ?? '', longestId),
    phone: prepared.phone === null ? phoneNumber : cutText(prepared.phone, longestId),
  };
}

/** The same for each attempt of one job. So a message that was sent can be found, and is never sent twice. */
function keyIdOf(jobId: string): string {
  return `3EB0${sha256Hex(jobId).slice(0, 18).toUpperCase()}`;
}
