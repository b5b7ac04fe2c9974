import {
  answerKey,
  answersKey,
  keyPrefix,
  quarantineIndexKey,
  queueKey,
  sessionKeys,
} from '../../contract/keys.js';
import { readsQueue, sendsQueue } from '../../contract/names.js';

/**
 * Deletes the data of an account when it is logged out or replaced: events, results of reads, phone numbers behind hidden ids,
 * and the quarantine, which may hold any of these. QR links made for its login become void. This is a part of the script
 * that records the logout or the new account, so that both happen or neither does.
 *
 * The key `account` holds `<generation> <wid>`. The generation counts the accounts that have ended; a QR link is valid in one
 * generation only. The wid names the account to which the events belong. It is empty before the first link and after a logout.
 */

/** An internal entry of the emptied stream: readers would take an empty stream for a lost one. */
const accountEndType = 'account-end';

/** The keys of {@link accountCleanupLua}, in its order. */
export function accountCleanupKeys(session: string): string[] {
  const k = sessionKeys(session);
  const reads = readsQueue(session);
  return [
    k.account,
    k.events,
    k.lids,
    queueKey(reads, 'events'),
    queueKey(reads, 'completed'),
    queueKey(reads, 'failed'),
    queueKey(reads, 'wait'),
    queueKey(sendsQueue(session), 'events'),
    answersKey(session),
    // The prefix of the answers' keys.
    answerKey(session, ''),
    k.quarantineIndex,
  ];
}

export const accountCleanupKeyCount = accountCleanupKeys('').length;

/**
 * Lua functions over {@link accountCleanupKeys}, which are in KEYS from `first` on. `deleteAccountData()` deletes the data and
 * begins a new generation. `switchAccount(wid)` does the same if the data belongs to another account, and records the wid.
 * Active reads continue: their results come from the account that answers them.
 */
export function accountCleanupLua(first: number): string {
  const key = (offset: number) => `KEYS[${first + offset}]`;
  return `local function readAccount()
     local account = redis.call('GET', ${key(0)}) or ''
     local generation = string.match(account, '^%d+') or ''
     return #generation < 16 and tonumber(generation) or 0, string.match(account, '^%d+ (.+)$')
   end
   local function writeAccount(generation, wid) redis.call('SET', ${key(0)}, string.format('%.0f %s', generation, wid)) end
   local function deleteAccountData()
     writeAccount(readAccount() + 1, '')
     redis.call('XTRIM', ${key(1)}, 'MAXLEN', '=', 0)
     redis.call('XADD', ${key(1)}, '*', 'type', '${accountEndType}', 'event', '{}')
     redis.call('UNLINK', ${key(2)}, ${key(3)})
     local prefix = string.sub(${key(3)}, 1, -7)
     for i = ${first + 4}, ${first + 6} do
       local command = redis.call('TYPE', KEYS[i]).ok == 'zset' and 'ZRANGE' or 'LRANGE'
       for _, id in ipairs(redis.call(command, KEYS[i], 0, -1)) do redis.call('UNLINK', prefix .. id) end
       redis.call('UNLINK', KEYS[i])
     end
     for _, id in ipairs(redis.call('HKEYS', ${key(8)})) do redis.call('UNLINK', ${key(9)} .. id) end
     for _, name in ipairs(redis.call('HKEYS', ${key(10)})) do
       redis.call('UNLINK', '${quarantineIndexKey}:' .. string.sub(name, ${keyPrefix.length + 2}))
     end
     redis.call('UNLINK', ${key(7)}, ${key(8)}, ${key(10)})
   end
   local function switchAccount(wid)
     if wid == '' then return end
     local _, former = readAccount()
     if former == wid then return end
     if former then deleteAccountData() end
     writeAccount(readAccount(), wid)
   end`;
}

/** Whether the text is valid for the key `account`. */
export function isAccountText(text: string): boolean {
  return /^\d{1,15} .{0,200}$/s.test(text);
}

/** From the text of the key `account`: whose data is stored. null: nobody's. */
export function accountWid(text: string | null | undefined): string | null {
  return /^\d+ (.{1,200})$/s.exec(text ?? '')?.[1] ?? null;
}

/** From the text of the key `account`. 0: there is none, or it is unreadable. */
export function accountGeneration(text: string | null | undefined): number {
  return Number(/^\d{1,15}/.exec(text ?? '')?.[0] ?? 0);
}
