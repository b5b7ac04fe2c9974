import type { Foreign, PageAgent } from './agent.js';
import type { PageChat, PageMessage } from './models.js';
import type { PagePerson } from './people.js';

export type ChatWithLast = PageChat & { readonly lastMessage: PageMessage | null };

export interface Chats {
  /** Of all chats the ones with the newest activity, these first. Asks nobody about a group. */
  readChats(input: { limit: number }): Promise<ChatWithLast[]>;
  /** The newest messages of a chat, oldest of them first; what cannot be loaded is left out. null: there is no such chat. */
  readMessages(input: { chatId: string; limit: number }): Promise<{
    chat: ChatWithLast;
    messages: PageMessage[];
  } | null>;
  /** Who has this number; null: nobody on WhatsApp. Rejects where WhatsApp does not answer. */
  lookUp(input: { digits: string }): Promise<PagePerson | null>;
  /** WhatsApp's model of a chat, which is made where there is none. null: WhatsApp knows nobody with this id. */
  openChat(chatId: string): Promise<Foreign>;
}

export function chats(page: PageAgent): Chats {
  const answerMs = 15_000;
  const lastMessagesMs = 2_000;
  /** Look-ups and openings under way: a second one waits with the first. */
  const underWay = new Map<string, Promise<Foreign>>();

  function once(name: string, act: () => Promise<Foreign>): Promise<Foreign> {
    const running = underWay.get(name);
    if (running !== undefined) return running;
    const begun = act().finally(() => underWay.delete(name));
    underWay.set(name, begun);
    return begun;
  }

  function newest(all: Foreign[], limit: number): Foreign[] {
    const timed = all.map((chat) => ({ chat, t: page.timeOf(chat) ?? 0 }));
    return timed
      .sort((a, b) => b.t - a.t)
      .filter(({ chat }) => !isStories(chat))
      .slice(0, limit)
      .map(({ chat }) => chat);
  }

  function isStories(chat: Foreign): boolean {
    return page.widText(page.attempt(() => chat.id)) === 'status@broadcast';
  }

  function messagesOf(chat: Foreign): Foreign[] {
    const all = page.attempt(() => chat.msgs.getModelsArray());
    return Array.isArray(all) ? all.filter((message) => !page.isNotification(message)) : [];
  }

  /** What the page has in memory, by chat; the ids of the others. */
  function lastInMemory(chat: Foreign): { message: Foreign; missing: string | null } {
    const key = page.attempt(() => chat.lastReceivedKey);
    const id = key === undefined || key === null ? null : page.keyText(key);
    const known = id === null ? undefined : page.attempt(() => page.member('WAWebCollections.Msg').get(id));
    const message = known ?? messagesOf(chat).at(-1) ?? null;
    return { message, missing: message === null ? id : null };
  }

  /** Best effort: a list is not kept waiting for what stands under its names. */
  async function withLast(shown: Foreign[]): Promise<ChatWithLast[]> {
    const looks = shown.map(lastInMemory);
    const missing = looks.flatMap((look) => look.missing ?? []);
    const loaded = new Map<string | null, Foreign>();
    if (missing.length > 0) {
      const found = await page.atMost(lastMessagesMs, () =>
        page.member('WAWebCollections.Msg').getMessagesById(missing),
      );
      const models = page.attempt(() => found.messages);
      for (const model of Array.isArray(models) ? models : []) {
        loaded.set(page.keyText(page.attempt(() => model.id)), model);
      }
    }
    return shown.map((chat, i) => {
      const last = looks[i]?.message ?? loaded.get(looks[i]?.missing ?? null) ?? null;
      return { ...page.describeChat(chat), lastMessage: last === null ? null : page.describeMessage(last) };
    });
  }

  async function openChat(chatId: string): Promise<Foreign> {
    const { Chat, WAWebNewsletterCollection } = page.need('WAWebCollections');
    if (chatId.endsWith('@newsletter'))
      return page.attempt(() => WAWebNewsletterCollection.get(chatId)) ?? null;
    const wid = page.widOf(chatId);
    const known = page.attempt(() => Chat.get(wid));
    if (known !== undefined && known !== null) return known;
    const open = page.need('WAWebFindChatAction.findOrCreateLatestChat');
    const opened = once(`chat ${chatId}`, async () => open(wid));
    try {
      return (await page.within(answerMs, 'WhatsApp', opened))?.chat ?? null;
    } catch (error) {
      if (isUnknownPerson(error)) return null;
      throw error;
    }
  }

  function isUnknownPerson(error: Foreign): boolean {
    return /No LID for user|not-a-participant|item-not-found|chat not found/i.test(
      page.errorText(error).message,
    );
  }

  return {
    async readChats({ limit }) {
      const Chat = page.need('WAWebCollections.Chat');
      page.need('WAWebCollections.Chat.getModelsArray');
      const all = Chat.getModelsArray();
      return withLast(newest(Array.isArray(all) ? all : [], limit));
    },
    async readMessages({ chatId, limit }) {
      const chat = await openChat(chatId);
      if (chat === null) return null;
      const load = page.member('WAWebChatLoadMessages.loadEarlierMsgs');
      const until = performance.now() + answerMs;
      let found = messagesOf(chat);
      while (found.length < limit && typeof load === 'function' && performance.now() < until) {
        const earlier = await page.atMost(until - performance.now(), () => load({ chat }));
        if (!Array.isArray(earlier) || earlier.length === 0) break;
        const all = messagesOf(chat);
        // The page may give them without putting them into the chat.
        found =
          all.length > found.length
            ? all
            : [...earlier.filter((each) => !page.isNotification(each)), ...found];
      }
      // Those of one second stay in the order of the page; one without a time stands where it stood.
      let at = 0;
      const timed = found.map((message, place) => {
        const described = page.describeMessage(message);
        at = described.t ?? at;
        return { described, at, place };
      });
      timed.sort((a, b) => a.at - b.at || a.place - b.place);
      const [shown] = await withLast([chat]);
      return {
        chat: shown as ChatWithLast,
        messages: timed.slice(-limit).map(({ described }) => described),
      };
    },
    async lookUp({ digits }) {
      const ask = page.need('WAWebQueryExistsJob.queryWidExists');
      const asked = once(`number ${digits}`, async () => ask(page.widOf(`${digits}@c.us`)));
      const found = await page.within(answerMs, 'WhatsApp', asked);
      const wid = page.attempt(() => found.wid);
      const person = page.personOf(wid);
      if (person === null) return null;
      // The page may not know yet whose number it has just asked for.
      return person.phone === null ? { ...person, phone: digits } : person;
    },
    openChat,
  };
}
