import { sessionKeys } from '../../contract/keys.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { accountCleanupKeyCount, accountCleanupKeys, accountCleanupLua } from './account-cleanup.js';
import { isOtherEpochLua } from './fence.js';

/**
 * Records that the credentials are wiped. Call it before they are deleted. It voids every earlier profile, snapshot, waiting
 * send and QR link, and deletes the account's data in Redis. Returns the number of this wipe, which is higher than any
 * before. null: the session belongs to another run, and nothing has changed.
 */
export async function markWiped(redis: Redis, session: string, epoch: number): Promise<number | null> {
  const k = sessionKeys(session);
  const keys = [
    k.fence,
    k.wiped,
    k.snapshot,
    k.previousSnapshot,
    k.backupSummary,
    ...accountCleanupKeys(session),
  ];
  const wiped = await markWipedScript(redis, keys, [epoch]);
  return wiped === '' ? null : Number(wiped);
}

// KEYS fence wiped snapshot previousSnapshot backupSummary, accountCleanupKeys
// ARGV epoch
// returns the number of the wipe, '' if the fence is of another epoch
const markWipedScript = luaScript<string>(
  'markWiped',
  5 + accountCleanupKeyCount,
  `${accountCleanupLua(6)}
   if ${isOtherEpochLua(1, 1)} then return '' end
   local last = string.match(redis.call('GET', KEYS[2]) or '', '^%d+$') or ''
   last = #last < 16 and tonumber(last) or 0
   local wiped = string.format('%.0f', math.max(last + 1, tonumber(ARGV[1])))
   redis.call('SET', KEYS[2], wiped)
   redis.call('UNLINK', KEYS[3], KEYS[4], KEYS[5])
   deleteAccountData()
   return wiped`,
);

/** The number of a wipe; null: there is none, or it is unreadable. */
export function parseWipedEpoch(text: string | null | undefined): number | null {
  return /^\d{1,15}$/.test(text ?? '') ? Number(text) : null;
}
