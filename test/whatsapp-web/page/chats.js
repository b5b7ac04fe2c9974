// The page's chats and messages: models for what the server tells. Which modules show them to others is in
// chat-modules.js; what the page sends itself is in outbox.js.

import { Collection, Model } from './models.js';
import { createWid, MessageKey } from './wid.js';

/** As on the real page a chat begins with its last message only, and loads earlier ones when asked. */
const LOADED_AT_START = 1;
const LOADED_AT_ONCE = 20;
const NOTIFICATIONS = ['e2e_notification', 'gp2', 'notification_template', 'call_log'];

export class Chats {
  Msg = new Collection();
  Chat = new Collection();
  #me;
  #hasHistory = false;
  /** Ids of all messages, loaded or not. */
  #known = new Set();
  /** By chat, what is not loaded: records, oldest first. */
  #earlier = new Map();

  /** `me` says who is logged in. */
  constructor(me) {
    this.#me = me;
    this.Msg.getMessagesById = async (ids) => ({ messages: ids.map((id) => this.#find(id)).filter(Boolean) });
  }

  /** Everything at the first connection, and at later ones what was missed: only that is news to listeners. */
  applyHistory(chats) {
    for (const { chat, messages } of chats) {
      const model = this.#showChat(chat);
      const unknown = messages.filter(({ id }) => !this.#known.has(id));
      if (this.#hasHistory) {
        for (const message of messages) if (!unknown.includes(message)) this.applyAck(message);
        for (const message of unknown) this.#append(model, message, true);
      } else {
        const loadedFrom = Math.max(0, unknown.length - LOADED_AT_START);
        for (const { id } of unknown) this.#known.add(id);
        this.#earlier.set(chat.id, unknown.slice(0, loadedFrom));
        for (const message of unknown.slice(loadedFrom)) this.#append(model, message, false);
      }
    }
    this.#hasHistory = true;
  }

  applyMessage({ chat, message }) {
    if (this.#known.has(message.id)) return;
    this.#append(this.#chatModel({ ...chat, unreadCount: 0 }), message, true);
    this.#showChat(chat);
  }

  applyChat({ chat }) {
    this.#showChat(chat);
  }

  /** Acks rise only, except that the server can refuse. */
  applyAck({ id, ack }) {
    const message = this.Msg.get(id);
    if (message && (ack > message.ack || ack < 0)) message.ack = ack;
  }

  /** A chat for somebody who has none yet; the server learns of it with the first message. */
  createChat(wid) {
    const id = wid._serialized;
    return this.Chat.get(id) ?? this.#chatModel({ id, name: `+${wid.user}`, isGroup: wid.isGroup() });
  }

  loadEarlier(chat) {
    const earlier = this.#earlier.get(chat.id._serialized) ?? [];
    const models = earlier.splice(-LOADED_AT_ONCE).map((message) => this.#messageModel(message, false));
    chat.msgs.prepend(models);
    for (const model of models) this.Msg.add(model);
    return models;
  }

  /** A message of this page's own, with ack 0, as whatsapp-web.js describes it. */
  addOutgoing(attributes, isNewMsg) {
    const chat = this.createChat(attributes.to);
    this.#known.add(attributes.id._serialized);
    this.#show(chat, new Model({ ...attributes, isNewMsg }));
  }

  #append(chat, message, isNewMsg) {
    this.#known.add(message.id);
    this.#show(chat, this.#messageModel(message, isNewMsg));
  }

  #show(chat, model) {
    chat.msgs.add(model);
    chat.set({ t: Math.max(chat.t ?? 0, model.t), lastReceivedKey: model.id });
    // Last: a model's events go to the collection that it joined last.
    this.Msg.add(model);
  }

  #find(id) {
    const loaded = this.Msg.get(id);
    if (loaded) return loaded;
    const record = [...this.#earlier.values()].flat().find((message) => message.id === id);
    return record && this.#messageModel(record, false);
  }

  #showChat(record) {
    const model = this.#chatModel(record);
    model.set(chatAttributes(record));
    model.mute.set({ expiration: record.isMuted ? -1 : 0 });
    if (model.groupMetadata) describeGroup(model.groupMetadata, record);
    return model;
  }

  #chatModel(record) {
    const known = this.Chat.get(record.id);
    if (known) return known;
    const attributes = {
      id: createWid(record.id),
      t: undefined,
      lastReceivedKey: undefined,
      msgs: new Collection(),
      mute: new Model({ expiration: 0 }),
      ...chatAttributes(record),
    };
    if (record.isGroup) {
      const about = { id: attributes.id, announce: false, participants: new Collection() };
      attributes.groupMetadata = new Model(about);
      describeGroup(attributes.groupMetadata, record);
    }
    return this.Chat.add(new Model(attributes));
  }

  #messageModel({ key, chatId, from, to, author, fromMe, body, type, hasMedia, timestamp, ack }, isNewMsg) {
    const remote = createWid(chatId);
    const writer = fromMe ? this.#me().pn : author && createWid(author);
    const participant = remote.isGroup() ? writer : undefined;
    return new Model({
      id: new MessageKey({ to: remote, id: key, participant, selfDir: fromMe ? 'out' : 'in' }),
      type,
      t: timestamp,
      from: createWid(from),
      to: createWid(to),
      author: author ? createWid(author) : undefined,
      ack,
      isNewMsg,
      isNotification: NOTIFICATIONS.includes(type),
      ...(hasMedia
        ? { body: '', caption: body, directPath: `/v/stand-in/${key}`, mimetype: 'image/jpeg' }
        : { body }),
    });
  }
}

function chatAttributes({
  name,
  unreadCount = 0,
  isReadOnly = false,
  isArchived = false,
  isPinned,
  isMuted,
}) {
  return {
    name,
    formattedTitle: name,
    unreadCount,
    isReadOnly,
    archive: isArchived,
    pin: isPinned ? 1 : undefined,
    muteExpiration: isMuted ? -1 : 0,
  };
}

function describeGroup(metadata, { name, isReadOnly = false, participants = [] }) {
  metadata.set({ subject: name, announce: isReadOnly });
  for (const id of participants) {
    if (!metadata.participants.get(id)) {
      metadata.participants.add(new Model({ id: createWid(id), isAdmin: false, isSuperAdmin: false }));
    }
  }
}
