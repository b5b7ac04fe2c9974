import { answerKey, answersKey, asideKey, keyPrefix, sessionKeys } from '../../contract/keys.js';
import { readsQueue, sendsQueue } from '../../contract/names.js';

/**
 * What ends with an account: its events, the results of reads, the numbers behind hidden ids, what was set aside, which may be
 * any of it, and the QR links that were made for its login. To stand in the script that records the end, so that neither is without the other.
 *
 * The key `account` has `<number> <wid>`: how often this session's account has ended (QR links belong to one number),
 * and whose events there are; no wid before the first link and after a logout.
 */

/** The internal entry that stands in an emptied stream: to those who follow, an empty one is a lost one. */
const accountEndType = 'account-end';

/** The keys of {@link accountEndLua}, in its order. */
export function accountEndKeys(session: string): string[] {
  const k = sessionKeys(session);
  const reads = `${keyPrefix}:${readsQueue(session)}`;
  return [
    k.account,
    k.events,
    k.lids,
    `${reads}:events`,
    `${reads}:completed`,
    `${reads}:failed`,
    `${reads}:wait`,
    `${keyPrefix}:${sendsQueue(session)}:events`,
    answersKey(session),
    // Of which the keys of the answers begin.
    answerKey(session, ''),
    k.aside,
  ];
}

export const accountEndKeyCount = accountEndKeys('').length;

/**
 * Lua functions over the keys from KEYS[first] on. `endAccount()` ends whatever account there was. `beginAccount(wid)` ends it
 * if it is another than this one, and notes whose events follow. What a read that is under way finds is of the account
 * that answers it, so those go on.
 */
export function accountEndLua(first: number): string {
  const key = (offset: number) => `KEYS[${first + offset}]`;
  return `local function accountNote()
     local note = redis.call('GET', ${key(0)}) or ''
     local number = string.match(note, '^%d+') or ''
     return #number < 16 and tonumber(number) or 0, string.match(note, '^%d+ (.+)$')
   end
   local function noteAccount(number, wid) redis.call('SET', ${key(0)}, string.format('%.0f %s', number, wid)) end
   local function endAccount()
     noteAccount(accountNote() + 1, '')
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
       redis.call('UNLINK', '${asideKey}:' .. string.sub(name, ${keyPrefix.length + 2}))
     end
     redis.call('UNLINK', ${key(7)}, ${key(8)}, ${key(10)})
   end
   local function beginAccount(wid)
     if wid == '' then return end
     local _, former = accountNote()
     if former == wid then return end
     if former then endAccount() end
     noteAccount(accountNote(), wid)
   end`;
}

/** Whether this can stand under the key `account`. */
export function isAccountNote(text: string): boolean {
  return /^\d{1,15} .{0,200}$/s.test(text);
}

/** How often the session's account has ended, of what stands under its key. */
export function accountNumber(note: string | null | undefined): number {
  return Number(/^\d{1,15}/.exec(note ?? '')?.[0] ?? 0);
}
