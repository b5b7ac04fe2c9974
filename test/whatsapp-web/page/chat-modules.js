// Modules for chats, messages and contacts, by WhatsApp Web's names.

import { Collection } from './models.js';
import { createWid, MessageKey } from './wid.js';

export function chatModules({ chats, outbox, stream }) {
  const GroupMetadata = Object.assign(new Collection(), { update: async () => {} });
  const { Chat, Msg } = chats;
  makeSlowable(Chat, stream);
  return {
    WAWebCollections: { Msg, Chat, GroupMetadata, Contact: new Collection() },
    WAWebWidFactory: { createWid, createWidFromWidLike: createWid, asUserWidOrThrow: createWid },
    WAWebLidMigrationUtils: { toPn: (wid) => (wid.server === 'lid' ? null : wid) },
    WAWebFindChatAction: { findOrCreateLatestChat: (wid) => findOrCreate(wid, chats, stream) },
    WAWebQueryExistsJob: { queryWidExists: (wid) => queryExists(wid, stream) },
    WAWebChatLoadMessages: { loadEarlierMsgs: async ({ chat }) => chats.loadEarlier(chat) },
    WAWebUpdateUnreadChatAction: { sendSeen: async ({ chat }) => markSeen(chat, stream) },
    WALinkify: { findLinks, findLink: (text) => findLinks(text)[0] ?? null },
    ...sendingModules(outbox),
  };
}

function sendingModules(outbox) {
  return {
    WAWebStreamModel: { Stream: { markAvailable: () => {}, markUnavailable: () => {} } },
    WAWebChatGetters: {
      getIsNewsletter: ({ id }) => id.isNewsletter(),
      getIsBroadcast: ({ id }) => id.isBroadcast(),
    },
    WAWebLinkPreviewChatAction: { getLinkPreview: async () => null },
    WAWebMsgKey: MessageKey,
    WAWebGetEphemeralFieldsMsgActionsUtils: { getEphemeralFields: () => ({}) },
    WAWebVcardParsingUtils: { parseVcard: () => null },
    WAWebSendMsgChatAction: { addAndSendMsgToChat: (chat, message) => outbox.addAndSend(chat, message) },
  };
}

async function findOrCreate(wid, chats, stream) {
  const known = chats.Chat.get(wid);
  if (known) return { chat: known, created: false };
  if (wid.isGroup()) throw new Error('not-a-participant');
  const found = await queryExists(wid, stream);
  // What the real page says of a number that is not on WhatsApp.
  if (!found) throw new Error('No LID for user');
  return { chat: chats.createChat(found.wid), created: true };
}

async function queryExists(wid, stream) {
  const found = await stream.ask({ kind: 'exists', wid: wid._serialized });
  return found === null ? null : { wid: createWid(found), biz: false };
}

function markSeen(chat, stream) {
  if (chat.unreadCount === 0) return;
  chat.unreadCount = 0;
  stream.send({ type: 'seen', chatId: chat.id._serialized });
}

function findLinks(text) {
  return [...String(text ?? '').matchAll(/https?:\/\/\S+/g)].map(([href]) => ({ href }));
}

/** Lets the server decide how long the work on a list of chats takes, when it is such as takes time at all. */
function makeSlowable(Chat, stream) {
  class Chats extends Array {
    map(callback, thisArg) {
      const mapped = [...this].map(callback, thisArg);
      if (!mapped.some((one) => one instanceof Promise)) return mapped;
      const permitted = stream.ask({ kind: 'list-chats' }, null);
      return mapped.map(async (one) => [await permitted, await one][1]);
    }
  }
  const all = Chat.getModelsArray.bind(Chat);
  Chat.getModelsArray = () => Chats.from(all());
}
