import type { Redis } from '../redis/connection.js';
import { type ListedSession, listSessions } from './session-register.js';
import { tryParseStatus } from './state-store.js';

const pageSize = 500;

/**
 * The names of the sessions that are linked to the same account, for each account that has several. WhatsApp allows it, but each of them
 * gets every message. Takes a round trip for every 500 sessions.
 */
export async function sharedAccounts(redis: Redis): Promise<string[][]> {
  const sessionsOf = new Map<string, string[]>();
  let page: ListedSession[] = [];
  do {
    page = await listSessions(redis, { after: page.at(-1)?.session ?? null, count: pageSize });
    for (const { session, texts } of page) {
      const wid = tryParseStatus(texts[0] ?? '')?.account?.wid ?? null;
      if (wid === null) continue;
      sessionsOf.set(wid, [...(sessionsOf.get(wid) ?? []), session]);
    }
  } while (page.length === pageSize);
  return [...sessionsOf.values()].filter((sessions) => sessions.length > 1);
}
