import type { ChatRecord, MessageRecord } from './chat-records.js';
import type { Mailbox } from './mailbox.js';

/** Makes messages and chats in bulk. */

export interface Filling {
  chats?: number;
  groups?: number;
}

const MASS_NUMBERS = 15_557_000_000;
const FILL_NUMBERS = 15_558_000_000;
const FILL_GROUPS = 120_363_500_000_000_000n;

/** Makes `count` incoming messages, spread in turn over `chats` chats. */
export function massMessages(mailbox: Mailbox, count: number, chats: number): MessageRecord[] {
  return Array.from({ length: count }, (_, nth) =>
    mailbox.receive({ from: String(MASS_NUMBERS + (nth % chats)), body: `mass ${nth + 1}` }),
  );
}

/** Makes chats and groups with one read message each. The first ones have the newest messages. */
export function fill(mailbox: Mailbox, { chats = 0, groups = 0 }: Filling): ChatRecord[] {
  const now = Math.floor(Date.now() / 1000);
  const participants = [0, 1, 2].map((nth) => String(FILL_NUMBERS + nth));
  const ids = [
    ...Array.from({ length: chats }, (_, nth) => String(FILL_NUMBERS + nth)),
    ...Array.from({ length: groups }, (_, nth) => `${FILL_GROUPS + BigInt(nth)}@g.us`),
  ];
  return ids.flatMap((id, nth) => {
    const isGroup = id.endsWith('@g.us');
    mailbox.setChat(id, isGroup ? { name: `Group ${nth - chats + 1}`, participants } : {});
    const from = isGroup ? (participants[0] ?? '') : id;
    mailbox.receive({ from, chat: id, body: `filling ${nth + 1}`, timestamp: now - nth - 1 });
    return mailbox.markRead(id);
  });
}
