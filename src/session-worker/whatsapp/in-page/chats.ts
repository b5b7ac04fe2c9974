import type { Person } from '../../../contract/whatsapp.js';
import type { Contacts } from './contacts.js';
import type { Descriptions, PageChat, PageMessage } from './descriptions.js';
import type { Ids } from './ids.js';
import type { Foreign, PageAccess } from './page-access.js';

export type ChatWithLast = PageChat & { readonly lastMessage: PageMessage | null };

export interface Chats {
  /** The `limit` chats with the newest activity, newest first. Sends no request about groups. */
  readChats(input: { limit: number }): Promise<ChatWithLast[]>;
  /** The newest messages of a chat, oldest first, without those that cannot be loaded. null: there is no such chat. */
  readMessages(input: { chatId: string; limit: number }): Promise<{
    chat: ChatWithLast;
    messages: PageMessage[];
  } | null>;
  /** Looks a number up; null: it is not on WhatsApp. Rejects where WhatsApp does not answer. */
  lookUp(input: { digits: string }): Promise<Person | null>;
  /** WhatsApp's model of a chat; creates the chat where there is none. null: WhatsApp does not know the id. */
  openChat(chatId: string): Promise<Foreign>;
}

export function chats(page: PageAccess & Ids & Contacts & Descriptions): Chats {
  const answerMs = 15_000;
  const lastMessagesMs = 2_000;
  /** Look-ups and openings in flight: an equal second one gets the same promise. */
  const inFlight = new Map<string, Promise<Foreign>>();

  function shareInFlight(name: string, act: () => Promise<Foreign>): Promise<Foreign> {
    const running = inFlight.get(name);
    if (running !== undefined) return running;
    const begun = act().finally(() => inFlight.delete(name));
    inFlight.set(name, begun);
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

  /** The last message of a chat from memory; else its id, if known, as `missing`. */
  function lastInMemory(chat: Foreign): { message: Foreign; missing: string | null } {
    const key = page.attempt(() => chat.lastReceivedKey);
    const id = key === undefined || key === null ? null : page.keyText(key);
    const known = id === null ? undefined : page.attempt(() => page.member('WAWebCollections.Msg').get(id));
    const message = known ?? messagesOf(chat).at(-1) ?? null;
    return { message, missing: message === null ? id : null };
  }

  /** Adds last messages. Best effort: those not in memory are loaded for `lastMessagesMs` at most. */
  async function withLast(all: Foreign[]): Promise<ChatWithLast[]> {
    const lasts = all.map(lastInMemory);
    const missing = lasts.flatMap(({ missing }) => missing ?? []);
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
    return all.map((chat, i) => {
      const last = lasts[i]?.message ?? loaded.get(lasts[i]?.missing ?? null) ?? null;
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
    const opened = shareInFlight(`chat ${chatId}`, async () => open(wid));
    try {
      return (await page.within(answerMs, 'WhatsApp', opened))?.chat ?? null;
    } catch (error) {
      if (isUnknownId(error)) return null;
      throw error;
    }
  }

  function isUnknownId(error: Foreign): boolean {
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
        // The page may return them without adding them to the chat.
        found =
          all.length > found.length
            ? all
            : [...earlier.filter((each) => !page.isNotification(each)), ...found];
      }
      // Messages of one second keep the page's order; one without a time keeps its place.
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
      const asked = shareInFlight(`number ${digits}`, async () => ask(page.widOf(`${digits}@c.us`)));
      const found = await page.within(answerMs, 'WhatsApp', asked);
      const wid = page.attempt(() => found.wid);
      const person = page.personOf(wid);
      if (person === null) return null;
      // The page may not have mapped the number to the id yet.
      return person.phone === null ? { ...person, phone: digits } : person;
    },
    openChat,
  };
}
