/**
 * What runs inside WhatsApp Web's page beyond the library's own calls, as source text: the page's globals have no
 * types here. Each takes one JSON value and resolves to one.
 */

/** Says how the page is. */
export const readPage = `() => {
  const socket = (() => {
    try { return window.require('WAWebSocketModel').Socket; } catch { return null; }
  })();
  return {
    socketState: socket?.state ?? null,
    hasSynced: socket?.hasSynced === true,
    isInjected: typeof window.onAppStateHasSyncedEvent === 'function',
    hasBegunReadying: typeof window.WWebJS !== 'undefined',
    isLoaded: document.readyState === 'complete',
    isLoggedOut: location.search.includes('post_logout=1'),
  };
}`;

/** Resolves as soon as the library can set the page up; after so many ms at the latest. */
export const whenLoaded = `async (timeoutMs) => {
  const end = performance.now() + timeoutMs;
  while (window.Debug?.VERSION === undefined && performance.now() < end) {
    await new Promise((done) => setTimeout(done, 5));
  }
}`;

/** The page's localStorage, by name. */
export const readStorage = `() => ({ ...localStorage })`;

/** Puts back what a killed browser had not written yet. */
export const writeStorage = `(storage) => {
  for (const [name, value] of Object.entries(storage)) localStorage.setItem(name, value);
}`;

/**
 * Runs a script in a page that the library has made ready. One that has just loaded anew knows neither its chats nor
 * what it has sent: nothing may be asked of it, and "not found" would be a lie. Counts as an interruption.
 */
export const whenReady = `(script, argument) => {
  if (typeof window.WWebJS === 'undefined') throw new Error('the page has loaded anew: its context was destroyed');
  return script(argument);
}`;

/** The key of a message of ours in a chat, as the library makes it; part of the two scripts below. */
const ownKeyIn = `(chat, keyId) => {
  const { getMaybeMeLidUser, getMaybeMePnUser } = window.require('WAWebUserPrefsMeUser');
  const MsgKey = window.require('WAWebMsgKey');
  const from = chat.id.isLid() ? getMaybeMeLidUser() : getMaybeMePnUser();
  return new MsgKey({ from, to: chat.id, id: keyId, selfDir: 'out' });
}`;

/**
 * Finds the chat and makes the key of a message that is to be sent in it. The key's id comes from the caller, so
 * that the very message can be looked for after a crash. Takes { chatId, keyId }, gives { chatId, messageId }.
 */
export const prepareMessage = `async ({ chatId, keyId }) => {
  const chat = await window.WWebJS.getChat(chatId, { getAsModel: false });
  if (!chat) return null;
  const key = (${ownKeyIn})(chat, keyId);
  return { chatId: chat.id._serialized, messageId: key._serialized };
}`;

/**
 * Sends texts under keys made before, one after another, unless their time is over: a thawed browser must not send what
 * another one has taken over. Takes { messages: [{ chatId, keyId, messageId, message }], notAfter }, gives one
 * { type: 'sent' | 'late' | 'key-differs' } or { type: 'refused', message } for each, up to the first that is not sent.
 */
export const sendMessages = `async ({ messages, notAfter }) => {
  const seen = new Set();
  const send = async ({ chatId, keyId, messageId, message }) => {
    const chat = await window.WWebJS.getChat(chatId, { getAsModel: false });
    if (!chat) return { type: 'refused', message: 'it could not open the chat' };
    const id = (${ownKeyIn})(chat, keyId);
    if (id._serialized !== messageId) return { type: 'key-differs' };
    if (!seen.has(chatId)) await window.WWebJS.sendSeen(chatId);
    seen.add(chatId);
    if (Date.now() > notAfter) return { type: 'late' };
    await window.WWebJS.sendMessage(chat, message, { linkPreview: true, parseVCards: false, extraOptions: { id } });
    return { type: 'sent' };
  };
  const answers = [];
  for (const message of messages) {
    const refused = (error) => ({ type: 'refused', message: String(error?.message ?? error) });
    const answer = await send(message).catch(refused);
    answers.push(answer);
    if (answer.type !== 'sent') break;
  }
  return answers;
}`;

/** Looks for one message by its id, in memory and in the page's store. Gives { ack, timestamp } or null. */
export const findMessage = `async ({ messageId }) => {
  const { Msg } = window.require('WAWebCollections');
  const message = Msg.get(messageId) ?? (await Msg.getMessagesById([messageId]))?.messages?.[0];
  return message ? { ack: message.ack ?? 0, timestamp: message.t ?? null } : null;
}`;

/** The newest messages of a chat, oldest of them first, as the library's models. Takes { chatId, limit }. */
export const readMessages = `async ({ chatId, limit }) => {
  const chat = await window.WWebJS.getChat(chatId, { getAsModel: false });
  if (!chat) return null;
  const isMessage = (message) => !message.isNotification;
  let messages = chat.msgs.getModelsArray().filter(isMessage);
  while (messages.length < limit) {
    const earlier = await window.require('WAWebChatLoadMessages').loadEarlierMsgs({ chat });
    if (!earlier?.length) break;
    messages = [...earlier.filter(isMessage), ...messages];
  }
  // The library's own sort turns messages of the same second round.
  const inOrder = messages.map((message, place) => ({ message, place }));
  inOrder.sort((a, b) => a.message.t - b.message.t || a.place - b.place);
  return {
    chat: await window.WWebJS.getChatModel(chat),
    messages: inOrder.slice(-limit).map(({ message }) => window.WWebJS.getMessageModel(message)),
  };
}`;
