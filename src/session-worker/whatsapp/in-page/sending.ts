import type { FoundMessage, TextToSend } from '../../../contract/worker-commands.js';
import type { Chats } from './chats.js';
import type { Contacts } from './contacts.js';
import type { Descriptions } from './descriptions.js';
import type { Ids } from './ids.js';
import type { Foreign, PageAccess } from './page-access.js';

/** Its `messageId` is from `prepareMessage`, with the same `keyId`. */
export interface KeyedText extends TextToSend {
  readonly keyId: string;
}

export type PageSent =
  | { readonly type: 'sent' | 'late' | 'pending' | 'key-differs' }
  | { readonly type: 'refused'; readonly message: string };

export interface Sending {
  /** Opens the chat and makes the key of a message to be sent there. null: WhatsApp does not know the id. */
  prepareMessage(input: { chatId: string; keyId: string }): Promise<{
    chatId: string | null;
    messageId: string | null;
    phone: string | null;
  } | null>;
  /**
   * Sends texts of one chat under prepared keys, one after another. After `notAfter` (Unix ms) it sends nothing (`late`): a
   * browser that was frozen must not send what another one has taken over. One result per text, up to the first that is
   * not `sent`. `pending`: the page has not finished; a second call does not begin it again.
   */
  sendTexts(input: { messages: readonly KeyedText[]; notAfter: number }): Promise<PageSent[]>;
  /** Finds a message by its id, in memory and in the page's store. null: there is none. */
  findMessage(input: { messageId: string }): Promise<FoundMessage | null>;
  /** Puts the account's reaction on a message; `''` takes it back. False: there is no such message. */
  react(input: { messageId: string; emoji: string }): Promise<boolean>;
  /** The key of a message that the account sends in a chat. Throws where the page cannot make one. */
  ownKey(chat: Foreign, keyId: string): Foreign;
}

export function sending(page: PageAccess & Ids & Contacts & Descriptions & Chats): Sending {
  const stepMs = 20_000;
  /** The two steps of a reaction, together below the time that Node waits for the page. */
  const findMs = 10_000;
  const reactMs = 15_000;
  const seenMs = 2_000;
  const previewMs = 5_000;
  /** Sends in flight, by message id: the same message is never sent twice at once. */
  const inFlight = new Map<string, Promise<PageSent>>();

  function ownIdsIn(chat: Foreign): { from: Foreign; participant: Foreign } {
    const id = page.widText(chat.id);
    const isGroup = page.isGroupId(id);
    const isLid = isGroup
      ? page.attempt(() => chat.groupMetadata.isLidAddressingMode) === true
      : id?.endsWith('@lid') === true;
    const from = page.ownWid(isLid);
    const asUser = page.member('WAWebWidFactory.asUserWidOrThrow');
    const participant = isGroup && typeof asUser === 'function' ? asUser(from) : isGroup ? from : undefined;
    return { from, participant };
  }

  function ownKey(chat: Foreign, keyId: string): Foreign {
    const MsgKey = page.need('WAWebMsgKey');
    return new MsgKey({ ...ownIdsIn(chat), to: chat.id, id: keyId, selfDir: 'out' });
  }

  async function markSeen(chat: Foreign): Promise<void> {
    const stream = page.member('WAWebStreamModel.Stream');
    page.attempt(() => stream.markAvailable());
    await page.atMost(seenMs, () =>
      page.member('WAWebUpdateUnreadChatAction.sendSeen')({ chat, threadId: undefined }),
    );
    page.attempt(() => stream.markUnavailable());
  }

  async function previewOf(message: string): Promise<Record<string, unknown>> {
    const link = page.attempt(() => page.member('WALinkify.findLink')(message));
    if (link === undefined || link === null) return {};
    const preview = await page.atMost(previewMs, () =>
      page.member('WAWebLinkPreviewChatAction.getLinkPreview')(link),
    );
    const data = page.attempt(() => preview.data);
    if (data === undefined || data === null || typeof data !== 'object') return {};
    const { canonicalUrl: _, ...shown } = data;
    return { ...shown, preview: true, subtype: 'url' };
  }

  function isInMemory(messageId: string): boolean {
    const found = page.attempt(() => page.member('WAWebCollections.Msg').get(messageId));
    return found !== undefined && found !== null;
  }

  async function send(text: KeyedText, marksSeen: boolean, notAfter: number): Promise<PageSent> {
    const chat = await page.openChat(text.chatId);
    if (chat === null) return { type: 'refused', message: 'it could not open the chat' };
    const key = ownKey(chat, text.keyId);
    if (page.keyText(key) !== text.messageId) return { type: 'key-differs' };
    if (isInMemory(text.messageId)) return { type: 'sent' };
    if (marksSeen) await markSeen(chat);
    const preview = text.linkPreview ? await previewOf(text.message) : {};
    const ephemeral = page.attempt(() =>
      page.member('WAWebGetEphemeralFieldsMsgActionsUtils.getEphemeralFields')(chat),
    );
    // Last check before the send: the steps above may have taken long.
    if (Date.now() > notAfter) return { type: 'late' };
    const [added] = page.need('WAWebSendMsgChatAction.addAndSendMsgToChat')(chat, {
      ...preview,
      id: key,
      ack: 0,
      body: text.message,
      from: ownIdsIn(chat).from,
      to: chat.id,
      local: true,
      self: 'out',
      t: Math.floor(Date.now() / 1000),
      isNewMsg: true,
      type: 'chat',
      ...ephemeral,
    });
    await added;
    return { type: 'sent' };
  }

  function sendOnce(text: KeyedText, marksSeen: boolean, notAfter: number): Promise<PageSent> {
    const running = inFlight.get(text.messageId);
    if (running !== undefined) return running;
    const started = send(text, marksSeen, notAfter)
      .catch((error): PageSent => {
        const { name, message } = page.errorText(error);
        return name === 'PageDeadline' ? { type: 'pending' } : { type: 'refused', message };
      })
      .finally(() => inFlight.delete(text.messageId));
    inFlight.set(text.messageId, started);
    return started;
  }

  async function findModel(messageId: string, ms: number): Promise<Foreign> {
    const { Msg } = page.need('WAWebCollections');
    const inMemory = Msg.get(messageId);
    if (inMemory !== undefined && inMemory !== null) return inMemory;
    const stored = await page.within(ms, 'the page', Msg.getMessagesById([messageId]));
    return stored?.messages?.[0] ?? null;
  }

  return {
    async prepareMessage({ chatId, keyId }) {
      const chat = await page.openChat(chatId);
      if (chat === null) return null;
      const key = ownKey(chat, keyId);
      const id = page.widText(chat.id);
      return { chatId: id, messageId: page.keyText(key), phone: page.personOf(chat.id)?.phone ?? null };
    },
    async sendTexts({ messages, notAfter }) {
      const results: PageSent[] = [];
      let hasSeen = false;
      for (const text of messages) {
        const started = sendOnce(text, text.markSeen && !hasSeen, notAfter);
        hasSeen ||= text.markSeen;
        const result = (await page.atMost(stepMs, () => started)) ?? { type: 'pending' };
        results.push(result);
        if (result.type !== 'sent') break;
      }
      return results;
    },
    async findMessage({ messageId }) {
      const found = await findModel(messageId, stepMs);
      if (found === null) return null;
      const ack = page.attempt(() => found.ack);
      return { ack: typeof ack === 'number' ? ack : 0, timestamp: page.timeOf(found) };
    },
    async react({ messageId, emoji }) {
      const sendReaction = page.need('WAWebSendReactionMsgAction.sendReactionToMsg');
      const message = await findModel(messageId, findMs);
      if (message === null) return false;
      await page.within(reactMs, 'WhatsApp', sendReaction(message, emoji));
      return true;
    },
    ownKey,
  };
}
