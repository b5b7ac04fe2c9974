import { bounds } from '../../contract/bounds.js';
import { sessionKeys } from '../../contract/keys.js';
import { type Fence, formatFence } from '../../contract/status.js';
import { luaScript } from '../redis/lua-script.js';
import { withQuarantine } from '../redis/quarantine.js';
import type { StoreConnection } from '../redis/store-connection.js';

/**
 * Stores the phone numbers behind hidden ids (`…@lid`) that WhatsApp's page has reported, because the page forgets them. A hash
 * from the user part of the id to the digits of the number. It belongs to one account, and is deleted with its data.
 */

const accountField = '@account';

/** The digits for each of the ids; null: not known. */
export async function readNumbers(
  redis: StoreConnection,
  session: string,
  account: string,
  lids: readonly string[],
): Promise<(string | null)[]> {
  const key = sessionKeys(session).lids;
  const [owner, ...numbers] = await withQuarantine(redis, [key], () =>
    redis.hmget(key, accountField, ...lids.map(userOf)),
  );
  return lids.map((_, i) => (owner === account ? digitsIn(numbers[i]) : null));
}

/**
 * Stores the numbers that the run with this fence knows. Deletes the map of another account first. Returns the size of the hash with
 * the field of the account. 0: refused, Redis has another fence.
 */
export async function rememberNumbers(
  redis: StoreConnection,
  session: string,
  fence: Fence,
  account: string,
  numbers: readonly { readonly lid: string; readonly phone: string }[],
): Promise<number> {
  const pairs = numbers.flatMap(({ lid, phone }) => [userOf(lid), phone]);
  const k = sessionKeys(session);
  const args = [formatFence(fence), account, String(bounds.knownNumbers), ...pairs];
  return rememberScript(redis, [k.fence, k.lids], args);
}

function digitsIn(text: string | null | undefined): string | null {
  return text && /^\d{1,32}$/.test(text) ? text : null;
}

function userOf(lid: string): string {
  return lid.split('@')[0] ?? lid;
}

// KEYS fence lids
// ARGV expected, account, max numbers, then user and digits of each
// returns the size of the hash, or 0 if the fence is not `expected`
// A full map accepts no new ids, but still updates those that it has.
const rememberScript = luaScript<number>(
  'rememberNumbers',
  2,
  `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
   if redis.call('HGET', KEYS[2], '${accountField}') ~= ARGV[2] then
     redis.call('DEL', KEYS[2])
     redis.call('HSET', KEYS[2], '${accountField}', ARGV[2])
   end
   local count = redis.call('HLEN', KEYS[2])
   for i = 4, #ARGV, 2 do
     if count <= tonumber(ARGV[3]) or redis.call('HEXISTS', KEYS[2], ARGV[i]) == 1 then
       count = count + redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
     end
   end
   return count`,
);
