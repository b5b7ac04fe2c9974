import type { Foreign, PageAgent } from './agent.js';

export interface TextToSend {
  readonly chatId: string;
  readonly keyId: string;
  /** As it was prepared. */
  readonly messageId: string;
  readonly message: string;
  readonly linkPreview: boolean;
  readonly markSeen: boolean;
}

export type PageSent =
  | { readonly type: 'sent' | 'late' | 'pending' | 'key-differs' }
  | { readonly type: 'refused'; readonly message: string };

export interface Sending {
  /** Opens the chat and makes the key of a message that is to be sent in it. null: WhatsApp knows nobody with this id. */
  prepareMessage(input: { chatId: string; keyId: string }): Promise<{
    chatId: string | null;
    messageId: string | null;
    phone: string | null;
  } | null>;
  /**
   * Sends texts of one chat under keys made before, one after another, unless their time is over: a thawed browser must not
   * send what another one has taken over. One answer for each, up to the first that is not sent; `pending`: it has not
   * ended, and is not begun a second time.
   */
  sendTexts(input: { messages: readonly TextToSend[]; notAfter: number }): Promise<PageSent[]>;
  /** Looks for one message by its id, in memory and in the page's store. null: there is none. */
  findMessage(input: { messageId: string }): Promise<{ ack: number; timestamp: number | null } | null>;
  /** A key of the account's own in a chat. Throws where the page cannot make one. */
  ownKey(chat: Foreign, keyId: string): Foreign;
}

export function sending(page: PageAgent): Sending {
  const actMs = 20_000;
  const seenMs = 2_000;
  const previewMs = 5_000;
  /** By message: what was begun and has not ended. The same act is never begun beside itself. */
  const acts = new Map<string, Promise<PageSent>>();

  function ownIn(chat: Foreign): { from: Foreign; participant: Foreign } {
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
    return new MsgKey({ ...ownIn(chat), to: chat.id, id: keyId, selfDir: 'out' });
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

  function isKnown(messageId: string): boolean {
    const known = page.attempt(() => page.member('WAWebCollections.Msg').get(messageId));
    return known !== undefined && known !== null;
  }

  async function send(text: TextToSend, seesChat: boolean, notAfter: number): Promise<PageSent> {
    const chat = await page.openChat(text.chatId);
    if (chat === null) return { type: 'refused', message: 'it could not open the chat' };
    const key = ownKey(chat, text.keyId);
    if (page.keyText(key) !== text.messageId) return { type: 'key-differs' };
    if (isKnown(text.messageId)) return { type: 'sent' };
    if (seesChat) await markSeen(chat);
    const preview = text.linkPreview ? await previewOf(text.message) : {};
    const ephemeral = page.attempt(() =>
      page.member('WAWebGetEphemeralFieldsMsgActionsUtils.getEphemeralFields')(chat),
    );
    // The last look before the act: what came before it may have taken long.
    if (Date.now() > notAfter) return { type: 'late' };
    const [added] = page.need('WAWebSendMsgChatAction.addAndSendMsgToChat')(chat, {
      ...preview,
      id: key,
      ack: 0,
      body: text.message,
      from: ownIn(chat).from,
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

  function begin(text: TextToSend, seesChat: boolean, notAfter: number): Promise<PageSent> {
    const running = acts.get(text.messageId);
    if (running !== undefined) return running;
    const act = send(text, seesChat, notAfter)
      .catch((error): PageSent => {
        const { name, message } = page.errorText(error);
        return name === 'PageDeadline' ? { type: 'pending' } : { type: 'refused', message };
      })
      .finally(() => acts.delete(text.messageId));
    acts.set(text.messageId, act);
    return act;
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
      const answers: PageSent[] = [];
      let hasSeen = false;
      for (const text of messages) {
        const act = begin(text, text.markSeen && !hasSeen, notAfter);
        hasSeen ||= text.markSeen;
        const answer = (await page.atMost(actMs, () => act)) ?? { type: 'pending' };
        answers.push(answer);
        if (answer.type !== 'sent') break;
      }
      return answers;
    },
    async findMessage({ messageId }) {
      const { Msg } = page.need('WAWebCollections');
      const found =
        Msg.get(messageId) ??
        (await page.within(actMs, 'the page', Msg.getMessagesById([messageId])))?.messages?.[0];
      if (found === undefined || found === null) return null;
      const ack = page.attempt(() => found.ack);
      return { ack: typeof ack === 'number' ? ack : 0, timestamp: page.timeOf(found) };
    },
    ownKey,
  };
}
