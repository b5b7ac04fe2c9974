import { ApiError } from '../../contract/errors.js';
import { toChat, toMessage, toPerson } from '../whatsapp/models.js';
import { type OperationFunctions, pageAnswerMs } from './parts.js';
import { chatIdOf } from './recipient.js';

/** The operations of contract/operations/messages.ts that need the page. */
export const messageFunctions = {
  async chats({ client, phones }, { limit }) {
    const found = await client.ask('readChats', { limit }, pageAnswerMs);
    const chats = found.map(toChat).filter((chat) => chat !== null);
    const contacts = await phones.complete(chats.map(({ contact }) => contact));
    const lasts = await phones.completeSenders(chats.flatMap(({ last_message }) => last_message ?? []));
    return {
      ok: true,
      count: chats.length,
      chats: chats.map((chat, i) => ({
        ...chat,
        contact: contacts[i] ?? null,
        last_message: chat.last_message === null ? null : (lasts.shift() ?? null),
      })),
    };
  },

  async messages({ client, phones }, input) {
    const chatId = await chatIdOf(client, input);
    const found = await client.ask('readMessages', { chatId, limit: input.limit }, pageAnswerMs);
    const chat = toChat(found?.chat);
    if (found === null || chat === null) throw new ApiError('chat_not_found', 'there is no such chat');
    const [contact = null] = await phones.complete([chat.contact]);
    const messages = await phones.completeSenders(found.messages.map(toMessage));
    return { ok: true, chat: { ...chat, contact }, count: messages.length, messages };
  },

  async react({ client }, { id: messageId, emoji }) {
    const isFound = isMessageId(messageId) && (await client.ask('react', { messageId, emoji }, pageAnswerMs));
    if (!isFound) throw new ApiError('message_not_found', 'there is no such message');
    return { ok: true };
  },

  async number({ client, phones }, { phone_number }) {
    const person = toPerson(await client.ask('lookUp', { digits: phone_number }, pageAnswerMs));
    const [contact = null] = await phones.complete([person]);
    return { ok: true, phone_number, exists: contact !== null, contact };
  },
} satisfies Partial<OperationFunctions>;

/** Whether a page can be asked for it: it takes its ids apart, and may throw at anything else. */
function isMessageId(id: string): boolean {
  return /^(true|false)_\S+@\S+_\S+$/.test(id);
}
