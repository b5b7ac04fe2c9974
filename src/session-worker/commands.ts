import { createHash } from 'node:crypto';
import { ApiError, messageOf } from '../contract/errors.js';
import type { InputOf, OutputOf, ReadName } from '../contract/operations.js';
import type { FoundMessage, SendCommands, SentText } from '../contract/send-commands.js';
import type { FromThread, ToThread } from '../contract/thread-messages.js';
import { chatIdOf } from '../contract/whatsapp.js';
import type { WhatsAppClient } from './client.js';
import { isInterruption } from './failures.js';
import { findMessage, prepareMessage, readMessages, sendMessages } from './page-scripts.js';
import { byActivity, toChat, toMessage } from './shapes.js';

/** Longer than the page's health check: a big account may take its time. */
const readMs = 30_000;

type Reads = {
  readonly [Name in ReadName]: (client: WhatsAppClient, input: InputOf<Name>) => Promise<SessionOutput<Name>>;
};

/** The pairing code alone; what stands around it is the same for every code. */
type SessionOutput<Name extends ReadName> = Name extends 'pairingCode' ? { code: string } : OutputOf<Name>;

type Sends = {
  readonly [Name in keyof SendCommands]: (
    client: WhatsAppClient,
    input: SendCommands[Name]['input'],
  ) => Promise<SendCommands[Name]['output']>;
};

/** Carries out a command; whatever happens is an answer. */
export async function answerCommand(client: WhatsAppClient | null, command: Command): Promise<FromThread> {
  const { id, operation, input } = command;
  try {
    if (client === null) throw new ApiError('session_not_ready', 'the session worker has no page yet');
    if (!Object.hasOwn(commands, operation))
      throw new ApiError('invalid_request', `there is no ${operation}`);
    const run = commands[operation as keyof typeof commands] as (
      client: WhatsAppClient,
      input: never,
    ) => Promise<unknown>;
    return { type: 'answer', id, output: await run(client, input as never) };
  } catch (error) {
    if (error instanceof ApiError) return { type: 'refusal', id, code: error.code, message: error.message };
    // A page that did not answer may have acted all the same: that is no refusal.
    const code = isInterruption(error) ? 'interrupted' : 'whatsapp_error';
    return { type: 'refusal', id, code, message: `WhatsApp Web failed: ${messageOf(error)}` };
  }
}

type PageAnswer = SentText | { readonly type: 'key-differs' };

type Command = Extract<ToThread, { type: 'command' }>;

/** What a session worker can do, by name. An operation of the table that runs here needs its function here. */
const commands: Reads & Sends = {
  async pairingCode(client, { phone_number }) {
    return { code: await client.requestPairingCode(phone_number, readMs) };
  },

  async chats(client, { limit }) {
    const chats = (await client.chats(readMs)).sort(byActivity).slice(0, limit);
    return { ok: true, count: chats.length, chats };
  },

  async messages(client, { phone_number, limit }) {
    const chatId = await registered(client, phone_number);
    const found = await client.ask<{ chat: unknown; messages: unknown[] } | null>(
      readMessages,
      { chatId, limit },
      readMs,
    );
    if (found === null) throw new ApiError('whatsapp_error', 'WhatsApp Web could not open the chat');
    const messages = found.messages.map(toMessage);
    return { ok: true, chat: toChat(found.chat), count: messages.length, messages };
  },

  async prepareSend(client, { phoneNumber, jobId }) {
    const keyId = keyIdOf(jobId);
    const known = client.numbers.get(phoneNumber);
    if (known !== null) return { chatId: known.chatId, messageId: known.messageId(keyId) };
    const chatId = await registered(client, phoneNumber);
    const prepared = await client.ask<{ chatId: string; messageId: string } | null>(
      prepareMessage,
      { chatId, keyId },
      readMs,
    );
    if (prepared === null) throw new ApiError('whatsapp_error', 'WhatsApp Web could not open the chat');
    client.numbers.keep(phoneNumber, prepared, keyId);
    return prepared;
  },

  async sendTexts(client, { messages, notAfter }) {
    const keyed = messages.map((message) => ({ ...message, keyId: keyIdOf(message.jobId) }));
    const answers = await client.ask<PageAnswer[]>(sendMessages, { messages: keyed, notAfter }, readMs);
    return answers.map((answer) => {
      if (answer.type === 'refused')
        return { ...answer, message: `WhatsApp Web did not send: ${answer.message}` };
      if (answer.type !== 'key-differs') return answer;
      // The account's or the other's address has changed meanwhile: it is made anew, and the message tried again.
      client.numbers.forget();
      return { type: 'late' };
    });
  },

  findSent(client, { messageId }) {
    return client.ask<FoundMessage | null>(findMessage, { messageId });
  },

  async untilAcked(client, { messageId, waitMs }) {
    const until = performance.now() + waitMs;
    for (;;) {
      const told = await client.acks.next(messageId, Math.min(ackLookMs, until - performance.now()));
      if (told !== null) return told;
      const found = await client.ask<FoundMessage | null>(findMessage, { messageId });
      if (found === null || found.ack !== 0 || performance.now() >= until) return found;
    }
  },
};

/** The library's event comes at once; a look makes up for one that it missed. */
const ackLookMs = 1_000;

async function registered(client: WhatsAppClient, digits: string): Promise<string> {
  if ((await client.numberId(digits, readMs)) === null) {
    throw new ApiError('not_on_whatsapp', `${maskPhone(digits)} is not on WhatsApp`);
  }
  return chatIdOf(digits);
}

/** The same for each attempt at the same job: what was sent can be found, and is never sent beside itself. */
function keyIdOf(jobId: string): string {
  return `3EB0${createHash('sha256').update(jobId).digest('hex').slice(0, 18).toUpperCase()}`;
}

/** For logs and messages: enough to recognise, not enough to call. */
function maskPhone(digits: string): string {
  return `+${digits.slice(0, 2)}…${digits.slice(-2)}`;
}
