import { bounds, type OnBound } from '../../contract/bounds.js';
import { ApiError, messageOf } from '../../contract/errors.js';
import { cutText } from '../../contract/json-size.js';
import type { InputOf, OutputOf, ReadName } from '../../contract/operations.js';
import type { CapabilityName, PageStatus } from '../../contract/page.js';
import type { FromThread, ToThread } from '../../contract/thread-messages.js';
import { idOfNumber, type Recipient } from '../../contract/whatsapp.js';
import type { PreparedMessage, SendCommands, SendRecipient } from '../../contract/worker-commands.js';
import { sha256Hex } from '../../platform/digest.js';
import type { People } from '../people.js';
import type { WhatsAppClient } from '../whatsapp/client.js';
import { isInterruption } from '../whatsapp/exit-classifier.js';
import { toChat, toMessage, toPerson } from '../whatsapp/models.js';
import { PageLacksError, WhatsAppSilentError } from '../whatsapp/page-errors.js';
import { boundAnswer } from './answer-size.js';

/** Longer than the page's own patience with WhatsApp. */
const readMs = 30_000;
const pairingCodeMs = 15_000;

/** What commands are carried out with. */
export interface CommandParts {
  readonly client: WhatsAppClient;
  readonly people: People;
  readonly page: PageStatus | null;
  readonly onBound: OnBound;
}

type Reads = {
  readonly [Name in ReadName]: (parts: CommandParts, input: InputOf<Name>) => Promise<SessionOutput<Name>>;
};

/** The pairing code alone; what stands around it is the same for every code. */
type SessionOutput<Name extends ReadName> = Name extends 'pairingCode' ? { code: string } : OutputOf<Name>;

type Sends = {
  readonly [Name in keyof SendCommands]: (
    parts: CommandParts,
    input: SendCommands[Name]['input'],
  ) => Promise<SendCommands[Name]['output']>;
};

type Command = Extract<ToThread, { type: 'command' }>;

/** Carries out a command; whatever happens is an answer. */
export async function answerCommand(parts: CommandParts | null, command: Command): Promise<FromThread> {
  const { id, operation, input } = command;
  const refusal = (code: string, message: string): FromThread => ({
    ...{ type: 'refusal', id, code },
    message: cutText(message, bounds.statusText),
  });
  try {
    if (parts === null) throw new ApiError('session_not_ready', 'the session worker has no page yet');
    if (!Object.hasOwn(commands, operation))
      throw new ApiError('invalid_request', `there is no ${operation}`);
    const needed = capabilityOf[operation];
    if (needed !== undefined && parts.page?.capabilities[needed] === 'broken') {
      return refusal('not_supported_by_page', notSupported(parts.page.problem ?? needed));
    }
    const run = commands[operation as keyof typeof commands] as (
      parts: CommandParts,
      input: never,
    ) => Promise<unknown>;
    return { type: 'answer', id, output: boundAnswer(await run(parts, input as never), parts.onBound) };
  } catch (error) {
    if (error instanceof ApiError) return refusal(error.code, error.message);
    if (error instanceof PageLacksError) {
      const version = parts?.page?.version ?? 'of an unknown version';
      return refusal('not_supported_by_page', notSupported(`on WhatsApp Web ${version}: ${error.message}`));
    }
    // A page that did not answer may have acted all the same: that is no refusal.
    if (error instanceof WhatsAppSilentError) {
      const isRead = Object.hasOwn(reads, operation);
      return refusal(isRead ? 'timeout' : 'unanswered', `WhatsApp Web: ${error.message}`);
    }
    const code = isInterruption(error) ? 'interrupted' : 'whatsapp_error';
    return refusal(code, `WhatsApp Web failed: ${messageOf(error)}`);
  }
}

const capabilityOf: Readonly<Record<string, CapabilityName>> = {
  pairingCode: 'pairing',
  chats: 'chats',
  messages: 'messages',
};

function notSupported(why: string): string {
  return `WhatsApp has changed its page, and this cannot be done: ${why}`;
}

const reads: Reads = {
  async pairingCode({ client }, { phone_number }) {
    return { code: await client.requestPairingCode(phone_number, pairingCodeMs) };
  },

  async chats({ client, people }, { limit }) {
    const found = await client.ask('readChats', { limit }, readMs);
    const chats = found.map(toChat).filter((chat) => chat !== null);
    const contacts = await people.complete(chats.map(({ contact }) => contact));
    const lasts = await people.completeSenders(chats.flatMap(({ last_message }) => last_message ?? []));
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

  async messages({ client, people }, input) {
    const chatId = await chatIdOf(client, input);
    const found = await client.ask('readMessages', { chatId, limit: input.limit }, readMs);
    const chat = toChat(found?.chat);
    if (found === null || chat === null) throw new ApiError('chat_not_found', 'there is no such chat');
    const [contact = null] = await people.complete([chat.contact]);
    const messages = await people.completeSenders(found.messages.map(toMessage));
    return { ok: true, chat: { ...chat, contact }, count: messages.length, messages };
  },

  async number({ client, people }, { phone_number }) {
    const person = toPerson(await client.ask('lookUp', { digits: phone_number }, readMs));
    const [contact = null] = await people.complete([person]);
    return { ok: true, phone_number, exists: contact !== null, contact };
  },
};

const sends: Sends = {
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
    const answers = await client.ask('sendTexts', { messages: keyed, notAfter }, readMs);
    return answers.map((answer) => {
      if (answer.type === 'refused')
        return {
          ...answer,
          message: cutText(`WhatsApp Web did not send: ${answer.message}`, bounds.statusText),
        };
      if (answer.type !== 'key-differs') return { type: answer.type };
      // The account's or the other's address has changed meanwhile: it is made anew, and the message tried again.
      client.numbers.forget();
      return { type: 'late' };
    });
  },

  findSent({ client }, { messageId }) {
    return client.ask('findMessage', { messageId });
  },

  async untilAcked({ client }, { messageId, waitMs }) {
    const until = performance.now() + waitMs;
    for (;;) {
      const told = await client.acks.next(messageId, Math.min(ackLookMs, until - performance.now()));
      if (told !== null) return told;
      const found = await client.ask('findMessage', { messageId });
      if (found === null || found.ack !== 0 || performance.now() >= until) return found;
    }
  },
};

/** What a session worker can do, by name. An operation of the table that runs here needs its function here. */
const commands = { ...reads, ...sends };

/** WhatsApp's are shorter. They stand in the records of sends, which are kept. */
const longestId = 256;

/** The page's event comes at once; a look makes up for one that it missed. */
const ackLookMs = 1_000;

async function prepare(
  client: WhatsAppClient,
  { phoneNumber, chatId }: SendRecipient,
  keyId: string,
): Promise<PreparedMessage> {
  const input = phoneNumber === null ? { chat_id: chatId ?? '' } : { phone_number: phoneNumber };
  const prepared = await client.ask(
    'prepareMessage',
    { chatId: await chatIdOf(client, input), keyId },
    readMs,
  );
  if (prepared === null) throw notOnWhatsApp(phoneNumber);
  // Whoever gets an empty id sends nothing.
  return {
    chatId: cutText(prepared.chatId ?? '', longestId),
    messageId: cutText(prepared.messageId ?? '', longestId),
    phone: prepared.phone === null ? phoneNumber : cutText(prepared.phone, longestId),
  };
}

/** The id that WhatsApp answers for a recipient: of a number it may be another than the one that was dialled. */
async function chatIdOf(client: WhatsAppClient, { phone_number, chat_id }: Recipient): Promise<string> {
  if (chat_id !== undefined) return chat_id;
  const digits = phone_number ?? '';
  try {
    const person = await client.ask('lookUp', { digits }, readMs);
    if (person === null) throw notOnWhatsApp(digits);
    return person.id;
  } catch (error) {
    // Without a look-up the chat is opened under the number; who is not on WhatsApp has none.
    if (error instanceof PageLacksError) return idOfNumber(digits);
    throw error;
  }
}

function notOnWhatsApp(digits: string | null): ApiError {
  return new ApiError(
    'not_on_whatsapp',
    digits === null
      ? 'WhatsApp knows no such person, and no such group that this account is in'
      : `${maskPhone(digits)} is not on WhatsApp`,
  );
}

/** The same for each attempt at the same job: what was sent can be found, and is never sent beside itself. */
function keyIdOf(jobId: string): string {
  return `3EB0${sha256Hex(jobId).slice(0, 18).toUpperCase()}`;
}

/** For logs and messages: enough to recognise, not enough to call. */
function maskPhone(digits: string): string {
  return `+${digits.slice(0, 2)}…${digits.slice(-2)}`;
}
