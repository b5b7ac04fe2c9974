import { bounds } from '../../contract/bounds.js';
import { sessionKeys } from '../../contract/keys.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { settingAside } from '../redis/set-aside.js';

/**
 * Whose number stands behind a hidden id (`…@lid`), as WhatsApp has once told: its page forgets. A hash from the id's user to
 * digits; it belongs to one account, and goes with it.
 */

const accountField = '@account';

/** The digits behind each of these ids, null where nobody has told. */
export async function readNumbers(
  redis: Redis,
  session: string,
  account: string,
  lids: readonly string[],
): Promise<(string | null)[]> {
  const key = sessionKeys(session).lids;
  const [owner, ...numbers] = await settingAside(redis, [key], () =>
    redis.hmget(key, accountField, ...lids.map(userOf)),
  );
  return lids.map((_, i) => (owner === account ? digitsIn(numbers[i]) : null));
}

/** Keeps what was told; of another account's map nothing stays. How many there are then, the account's own note among them. */
export async function rememberNumbers(
  redis: Redis,
  session: string,
  account: string,
  told: readonly { readonly lid: string; readonly phone: string }[],
): Promise<number> {
  const pairs = told.flatMap(({ lid, phone }) => [userOf(lid), phone]);
  return rememberScript(redis, [sessionKeys(session).lids], [account, String(bounds.knownNumbers), ...pairs]);
}

function digitsIn(text: string | null | undefined): string | null {
  return text && /^\d{1,32}$/.test(text) ? text : null;
}

function userOf(lid: string): string {
  return lid.split('@')[0] ?? lid;
}

// KEYS lids | ARGV account, most entries, then user and digits of each | returns how many there are
const rememberScript = luaScript<number>(
  'rememberNumbers',
  1,
  `if redis.call('HGET', KEYS[1], '${accountField}') ~= ARGV[1] then
     redis.call('DEL', KEYS[1])
     redis.call('HSET', KEYS[1], '${accountField}', ARGV[1])
   end
   local count = redis.call('HLEN', KEYS[1])
   for i = 3, #ARGV, 2 do
     if count <= tonumber(ARGV[2]) or redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 then
       count = count + redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
     end
   end
   return count`,
);
