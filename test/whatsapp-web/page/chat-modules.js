// Modules for chats, messages and contacts, under WhatsApp Web's names.

import { personCollections } from './contact-modules.js';
import { Collection } from './models.js';
import { createWid } from './wid.js';

export function chatModules({ settings, chats, people, outbox, stream, MsgKey }) {
  const { Chat, Msg, Newsletter, GroupMetadata } = chats;
  GroupMetadata.update = async () => {
    await stream.ask({ kind: 'group-metadata' }, null);
  };
  makeSlowable(Chat, stream);
  const lookUp = { settings, chats, people, stream };
  return {
    WAWebCollections: {
      Msg,
      Chat,
      [settings.groupMetadata]: GroupMetadata,
      WAWebNewsletterCollection: Newsletter,
      WAWebNewsletterMetadataCollection: Object.assign(new Collection(), { update: async () => {} }),
      ...personCollections(people),
    },
    WAWebWidFactory: { createWid, createWidFromWidLike: createWid, asUserWidOrThrow: createWid },
    WAWebFindChatAction: { findOrCreateLatestChat: (wid) => findOrCreate(wid, lookUp) },
    WAWebQueryExistsJob: { queryWidExists: (wid) => queryExists(wid, lookUp) },
    WAWebChatLoadMessages: {
      loadEarlierMsgs: async ({ chat }) => {
        await stream.ask({ kind: 'load-earlier' }, null);
        return chats.loadEarlier(chat);
      },
    },
    WAWebUpdateUnreadChatAction: {
      sendSeen: async ({ chat }) => {
        await stream.ask({ kind: 'mark-seen' }, null);
        markSeen(chat, stream);
      },
    },
    WAWebSendReactionMsgAction: {
      sendReactionToMsg: async (message, emoji) => {
        await stream.ask({ kind: 'reaction', messageId: message.id.toString(), emoji });
      },
    },
    WALinkify: { findLinks, findLink: (text) => findLinks(text)[0] ?? null },
    ...sendingModules(outbox, stream, MsgKey),
  };
}

function sendingModules(outbox, stream, MsgKey) {
  return {
    WAWebStreamModel: { Stream: { markAvailable: () => {}, markUnavailable: () => {} } },
    WAWebChatGetters: {
      getIsNewsletter: ({ id }) => id.isNewsletter(),
      getIsBroadcast: ({ id }) => id.isBroadcast(),
    },
    WAWebLinkPreviewChatAction: { getLinkPreview: () => stream.ask({ kind: 'link-preview' }, null) },
    WAWebMsgKey: MsgKey,
    WAWebGetEphemeralFieldsMsgActionsUtils: { getEphemeralFields: () => ({}) },
    WAWebVcardParsingUtils: { parseVcard: () => null },
    WAWebSendMsgChatAction: { addAndSendMsgToChat: (chat, message) => outbox.addAndSend(chat, message) },
  };
}

/** Finds or creates a chat under its current id: a person's chat has the hidden id, whichever id is given. */
async function findOrCreate(wid, lookUp) {
  const { chats, people } = lookUp;
  const known = chats.Chat.get(people.shown(wid));
  if (known) return { chat: known, created: false };
  if (wid.isGroup()) throw new Error('not-a-participant');
  const found = await queryExists(wid, lookUp);
  // The real page's error for a number that is not on WhatsApp.
  if (!found) throw new Error('No LID for user');
  return { chat: chats.createChat(people.shown(found.wid)), created: true };
}

async function queryExists(wid, { settings, people, stream }) {
  const found = await stream.ask({ kind: 'exists', wid: wid._serialized });
  if (found === null) return null;
  people.learn([found]);
  const isByLid = settings.existsAnswers === 'lid' || found.number === null;
  return { wid: createWid(isByLid ? found.lid : found.number), biz: false };
}

function markSeen(chat, stream) {
  if (chat.unreadCount === 0) return;
  chat.unreadCount = 0;
  stream.send({ type: 'seen', chatId: chat.id._serialized });
}

function findLinks(text) {
  return [...String(text ?? '').matchAll(/https?:\/\/\S+/g)].map(([href]) => ({ href }));
}

/** Lets the server delay asynchronous work on the list of chats. Synchronous work is not delayed. */
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
