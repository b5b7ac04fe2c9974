// Messages that the page sends. A message is stored on disk before it is sent. It stays there until the server has taken or
// refused it. Until then the page sends it again at each connection.

import { inStore } from './storage.js';

const NEVER = new Promise(() => {});

export class Outbox {
  #chats;
  #stream;
  #me;
  #MsgKey;
  /** By serialized id, in the order of sending. */
  #pending = new Map();
  /** Messages that an earlier page stored. */
  #restored;
  /** Restored messages that are not in their chat yet. */
  #hidden = [];

  constructor({ chats, stream, me, MsgKey }, restored) {
    this.#MsgKey = MsgKey;
    this.#chats = chats;
    this.#stream = stream;
    this.#me = me;
    this.#restored = restored;
  }

  /** Called by whatsapp-web.js. Returns two promises: the page has the message, the server has it. */
  addAndSend(_chat, message) {
    const atServer = Promise.withResolvers();
    atServer.promise.catch(() => {});
    return [this.#add(message, atServer), atServer.promise];
  }

  /** Called before the history of a connection: messages that an earlier page could not send are pending again. */
  restore() {
    for (const kept of this.#restored.splice(0)) {
      const attributes = this.#attributes(kept);
      this.#pending.set(attributes.id.toString(), { kept, atServer: Promise.withResolvers() });
      this.#hidden.push(attributes);
    }
  }

  /** Called after the history. The server recognizes a message that it gets twice. */
  sendPending() {
    for (const attributes of this.#hidden.splice(0)) this.#chats.addOutgoing(attributes, false);
    for (const { kept } of this.#pending.values()) this.#stream.send({ type: 'message', message: kept });
  }

  isPending(id) {
    return this.#pending.has(id);
  }

  /** The server has taken the message, or refused it. */
  settle({ id, ack }) {
    const { kept, atServer } = this.#pending.get(id) ?? {};
    if (!kept) return;
    this.#pending.delete(id);
    inStore('pending', 'readwrite', (store) => store.delete(kept.key)).catch(reportError);
    atServer.resolve({ messageSendResult: ack < 0 ? 'ERROR_UNKNOWN' : 'OK' });
  }

  async #add(message, atServer) {
    const fate = await this.#stream.ask({ kind: 'send-begins' }, 'go');
    if (fate === 'reject') throw new Error('the message could not be sent');
    if (fate.startsWith('stall') && fate !== 'stall-sent') return NEVER;
    const { id, to, body, type, t } = message;
    const keptAt = performance.timeOrigin + performance.now();
    const kept = { key: id.id, chatId: to._serialized, body, type, timestamp: t, keptAt };
    await inStore('pending', 'readwrite', (store) => store.put(kept));
    this.#pending.set(id.toString(), { kept, atServer });
    this.#chats.addOutgoing(message, true);
    this.#stream.send({ type: 'message', message: kept });
    return fate === 'stall-sent' ? NEVER : undefined;
  }

  #attributes({ key, chatId, body, type, timestamp }) {
    const to = this.#chats.chatIdOf(chatId);
    const { self } = this.#me();
    const participant = to.isGroup() ? self : undefined;
    const id = new this.#MsgKey({ fromMe: true, remote: to, id: key, participant });
    return { id, ack: 0, body, from: self, to, local: true, self: 'out', t: timestamp, type };
  }
}

/** Loads stored messages, in the order of sending. */
export async function loadPending() {
  const kept = await inStore('pending', 'readonly', (store) => store.getAll()).catch(() => []);
  return kept.sort((a, b) => a.keptAt - b.keptAt);
}
