// The page's chats and messages: models of what the server sends. chat-modules.js offers them as modules; outbox.js
// has the messages that the page itself sends.

import { chatAttributes, checkedKey, describeGroup } from './chat-attributes.js';
import { Collection, Model } from './models.js';
import { createWid } from './wid.js';

/** A chat begins with its last message only and loads earlier ones on request, as on the real page. */
const LOADED_AT_START = 1;
const LOADED_AT_ONCE = 20;
const NOTIFICATIONS = ['e2e_notification', 'gp2', 'notification_template', 'call_log'];

export class Chats {
  Msg = new Collection();
  Chat = new Collection();
  Newsletter = new Collection();
  GroupMetadata = new Collection();
  #me;
  #usesLids;
  #MsgKey;
  #people;
  #hasHistory = false;
  /** Ids of all messages, loaded or not. */
  #known = new Set();
  /** By chat: the records of messages that are not loaded, oldest first. */
  #earlier = new Map();

  /** `me` returns the ids of the account that is logged in. */
  constructor({ me, usesLids, MsgKey, people }) {
    this.#me = me;
    this.#usesLids = usesLids;
    this.#MsgKey = MsgKey;
    this.#people = people;
    this.Msg.getMessagesById = async (ids) => ({
      messages: ids.map((id) => this.#find(checkedKey(id))).filter(Boolean),
    });
  }

  /** The id under which this page has the chat: a person's id may have changed. */
  chatIdOf(id) {
    return this.#people.shown(createWid(id));
  }

  /** Takes all chats at the first connection, and missed messages at later ones. Only missed messages are new to listeners. */
  applyHistory(chats) {
    for (const { chat, messages } of chats) {
      const unknown = messages.filter(({ id }) => !this.#known.has(id));
      if (this.#hasHistory) {
        const model = this.#showChat(chat);
        for (const message of messages) if (!unknown.includes(message)) this.applyAck(message);
        for (const message of unknown) this.#append(model, message, true);
      } else {
        this.#beginChat(chat, unknown);
      }
    }
    this.#hasHistory = true;
  }

  /** Takes chats that count as old. */
  applyFilled(chats) {
    for (const { chat, messages } of chats) {
      this.#beginChat(
        chat,
        messages.filter(({ id }) => !this.#known.has(id)),
      );
    }
  }

  /** Takes messages one by one, each with its event, as if they arrived singly. */
  applyMessages({ chats, messages }) {
    const records = new Map(chats.map((chat) => [chat.id, chat]));
    const unknown = messages.filter(({ id, chatId }) => !this.#known.has(id) && records.has(chatId));
    const toCome = new Map();
    for (const { chatId, fromMe } of unknown) {
      toCome.set(chatId, (toCome.get(chatId) ?? 0) + (fromMe ? 0 : 1));
    }
    for (const message of unknown) {
      const chat = records.get(message.chatId);
      if (!message.fromMe) toCome.set(chat.id, toCome.get(chat.id) - 1);
      this.#append(this.#chatModel({ ...chat, unreadCount: 0 }), message, true);
      this.#showChat({ ...chat, unreadCount: Math.max(0, chat.unreadCount - toCome.get(chat.id)) });
    }
  }

  applyUnusualMessage({ chat, message, attributes, without, isNew }) {
    if (this.#known.has(message.id)) return;
    this.#known.add(message.id);
    const unusual = { ...this.#messageAttributes(message, isNew), ...attributes };
    for (const name of without) delete unusual[name];
    this.#show(this.#chatModel(chat), new Model(unusual));
  }

  applyUnusualChat({ chat, attributes, without }) {
    const { serializeThrows, ...unusual } = attributes;
    const model = this.#showChat(chat);
    model.set(unusual);
    for (const name of without) model.unset(name);
    if (!serializeThrows) return;
    model.serialize = () => {
      throw new Error('this chat cannot be serialized');
    };
  }

  applyChat({ chat }) {
    this.#showChat(chat);
  }

  /** Acks only rise, except for -1, a refusal of the server. */
  applyAck({ id, ack }) {
    const message = this.Msg.get(id);
    if (message && (ack > message.ack || ack < 0)) message.ack = ack;
  }

  /** Creates a chat, unless there is one. The server learns of it with the first message. */
  createChat(wid) {
    const id = wid._serialized;
    return this.#chatWith(id) ?? this.#chatModel({ id, name: this.#nameFor(wid), isGroup: wid.isGroup() });
  }

  /** Loads earlier messages; undefined: there are none. */
  loadEarlier(chat) {
    const earlier = this.#earlier.get(chat.id._serialized) ?? [];
    if (earlier.length === 0) return undefined;
    const models = earlier.splice(-LOADED_AT_ONCE).map((message) => this.#messageModel(message, false));
    chat.msgs.prepend(models);
    for (const model of models) this.Msg.add(model);
    return models;
  }

  /** Adds a message that this page sends, with ack 0, from the attributes of whatsapp-web.js. */
  addOutgoing(attributes, isNewMsg) {
    const chat = this.createChat(attributes.to);
    this.#known.add(attributes.id.toString());
    this.#show(chat, new Model({ ...attributes, isNewMsg }));
  }

  #beginChat(chat, messages) {
    const model = this.#showChat(chat);
    const loadedFrom = Math.max(0, messages.length - LOADED_AT_START);
    for (const { id } of messages) this.#known.add(id);
    this.#earlier.set(chat.id, messages.slice(0, loadedFrom));
    for (const message of messages.slice(loadedFrom)) this.#append(model, message, false);
  }

  #append(chat, message, isNewMsg) {
    this.#known.add(message.id);
    this.#show(chat, this.#messageModel(message, isNewMsg));
  }

  #show(chat, model) {
    chat.msgs?.add(model);
    if (Number.isFinite(model.t)) chat.set({ t: Math.max(chat.t ?? 0, model.t) });
    if (model.id) chat.set({ lastReceivedKey: model.id });
    // This comes last: a model's events go to the collection that it joined last.
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

  #chatWith(id) {
    return this.Chat.get(id) ?? this.Newsletter.get(id);
  }

  #nameFor(wid) {
    return wid.isUser() ? this.#people.nameOf(wid) : wid.user;
  }

  #chatModel(record) {
    const known = this.#chatWith(record.id);
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
      const isLidAddressingMode = this.#usesLids;
      const about = {
        id: attributes.id,
        announce: false,
        isLidAddressingMode,
        participants: new Collection(),
      };
      attributes.groupMetadata = this.GroupMetadata.add(new Model(about));
      describeGroup(attributes.groupMetadata, record);
    }
    return (attributes.id.isNewsletter() ? this.Newsletter : this.Chat).add(new Model(attributes));
  }

  #messageModel(record, isNewMsg) {
    return new Model(this.#messageAttributes(record, isNewMsg));
  }

  #messageAttributes(
    { key, chatId, from, to, author, fromMe, body, type, hasMedia, timestamp, ack },
    isNewMsg,
  ) {
    const remote = createWid(chatId);
    const writer = author ? createWid(author) : undefined;
    const participant = fromMe && remote.isGroup() ? this.#me().self : writer;
    return {
      id: new this.#MsgKey({ fromMe, remote, id: key, participant }),
      type,
      t: timestamp,
      from: createWid(from),
      to: createWid(to),
      author: writer,
      notifyName: this.#people.Contact.get(writer ?? from)?.pushname,
      ack,
      isNewMsg,
      isNotification: NOTIFICATIONS.includes(type),
      ...(hasMedia
        ? { body: '', caption: body, directPath: `/v/stand-in/${key}`, mimetype: 'image/jpeg' }
        : { body }),
    };
  }
}
