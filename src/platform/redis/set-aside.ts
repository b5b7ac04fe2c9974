import { createHash } from 'node:crypto';
import { bounds } from '../../contract/bounds.js';
import { type KeyType, sessionOfKey, typeOfKey } from '../../contract/key-types.js';
import { asideKey, keyPrefix, sessionKeys, setAsideKey } from '../../contract/keys.js';
import { isWrongType } from '../data-errors.js';
import { logOf, type Redis } from './connection.js';
import { rawScript, type Script } from './raw-script.js';

/**
 * What stands in Redis under a name of ours and cannot be used, being of another type or a text that nobody can read, is moved out of
 * the way in one step: to `{wa}:aside:<rest of its name>`, for seven days, noted by its name in the hash `aside` of its session,
 * or of the deployment. Then it is as if it had never been there. The newest under a name stays, of a bounded number of names.
 * It is told in the log by its name; what stood there may be secret, and is not. It goes with the account.
 */

const asideMs = 7 * 86_400_000;

/**
 * Lua `setAside(key, why)` over KEYS[index] and ARGV[first], ARGV[first + 1]: moves the key; and `noteAside(key, why)`, where
 * something has been put in its place already.
 */
export function setAsideLua(index: number, first: number): string {
  return `local asideMost, asideMs = tonumber(ARGV[${first}]), tonumber(ARGV[${first + 1}])
   local function asideName(key) return '${asideKey}:' .. string.sub(key, ${keyPrefix.length + 2}) end
   local function noteAside(key, why)
     local index = KEYS[${index}]
     if redis.call('TYPE', index).ok ~= 'hash' then redis.call('DEL', index) end
     local time = redis.call('TIME')
     local note = cjson.encode({at = time[1] * 1000 + math.floor(time[2] / 1000), why = why})
     redis.call('PEXPIRE', asideName(key), asideMs)
     redis.call('HSET', index, key, note)
     redis.call('PEXPIRE', index, asideMs)
     if redis.call('HLEN', index) <= asideMost then return end
     local oldest, oldestAt = nil, nil
     local all = redis.call('HGETALL', index)
     for i = 1, #all, 2 do
       local isRead, told = pcall(cjson.decode, all[i + 1])
       local at = isRead and type(told) == 'table' and tonumber(told.at) or 0
       if redis.call('EXISTS', asideName(all[i])) == 0 then redis.call('HDEL', index, all[i])
       elseif not oldestAt or at < oldestAt then oldest, oldestAt = all[i], at end
     end
     if redis.call('HLEN', index) > asideMost then
       redis.call('HDEL', index, oldest)
       redis.call('UNLINK', asideName(oldest))
     end
   end
   local function setAside(key, why)
     redis.call('RENAME', key, asideName(key))
     noteAside(key, why)
   end`;
}

export const setAsideWords = [bounds.setAside, asideMs];

/** The hash that a key is noted in once it is set aside. */
export function asideIndexOf(key: string): string {
  const session = sessionOfKey(key);
  return session === null ? asideKey : sessionKeys(session).aside;
}

/** Why a key cannot be used; looked at again in the moment in which it is moved, for others write too. */
export type Oddity =
  | { readonly type: 'type'; readonly wanted: KeyType }
  /** `digest`: sha1 of the text, in hex. */
  | { readonly type: 'text'; readonly digest: string }
  /** It must lapse by itself, and does not. */
  | { readonly type: 'endless' }
  | { readonly type: 'last id' };

export const reasons: Readonly<Record<Oddity['type'], string>> = {
  type: 'it is of another type',
  text: 'nobody can read it',
  endless: 'it would never lapse',
  'last id': 'nothing can be added after its last entry',
};

/** False: it is not so any more. */
export async function setAside(redis: Redis, key: string, oddity: Oddity): Promise<boolean> {
  const why = reasons[oddity.type];
  const operand = oddity.type === 'type' ? oddity.wanted : oddity.type === 'text' ? oddity.digest : 'nothing';
  const words = [oddity.type, operand, why, ...setAsideWords];
  const isMoved = await setAsideScript(redis, [key, setAsideKey(key), asideIndexOf(key)], words);
  if (isMoved === 1) tellAside(redis, key, why);
  return isMoved === 1;
}

// KEYS key aside index | ARGV oddity, operand, why, most, ms | returns 1, or 0 where the key is not as told
const setAsideScript = rawScript<number>(
  'setAside',
  3,
  `${setAsideLua(3, 4)}
   local found = redis.call('TYPE', KEYS[1]).ok
   local isOdd = found ~= 'none'
   if ARGV[1] == 'type' then isOdd = isOdd and found ~= ARGV[2]
   elseif ARGV[1] == 'text' then isOdd = found == 'string' and redis.sha1hex(redis.call('GET', KEYS[1])) == ARGV[2]
   elseif ARGV[1] == 'endless' then isOdd = isOdd and redis.call('PTTL', KEYS[1]) == -1
   else isOdd = found == 'stream' end
   if not isOdd then return 0 end
   setAside(KEYS[1], ARGV[3])
   return 1`,
);

/** A text that has just been found to be odd. */
export async function setAsideText(redis: Redis, key: string): Promise<boolean> {
  const text = await redis.getBuffer(key);
  if (text === null) return false;
  return setAside(redis, key, { type: 'text', digest: createHash('sha1').update(text).digest('hex') });
}

/** A copy of what stands in a field of a key, which itself stays: a job of BullMQ is settled where it is. */
export async function copyAside(redis: Redis, key: string, text: string): Promise<void> {
  const keys = [setAsideKey(key), asideIndexOf(key)];
  await copyScript(redis, keys, [key, text, reasons.text, ...setAsideWords]);
  tellAside(redis, key, reasons.text);
}

/** Of what was parsed already: as JSON. */
export function textOf(value: unknown): string {
  return JSON.stringify(value) ?? '';
}

// KEYS aside index | ARGV key text why, most, ms
const copyScript = rawScript<number>(
  'copyAside',
  2,
  `${setAsideLua(2, 4)}
   redis.call('SET', KEYS[1], ARGV[2])
   noteAside(ARGV[1], ARGV[3])
   return 1`,
);

export function tellAside(redis: Redis, key: string, why: string): void {
  logOf(redis)?.error(
    { key, why, setAside: setAsideKey(key) },
    'a key in Redis cannot be used; it is set aside',
  );
}

/** Moves away which of these are of another type than their names say; how many. */
export async function setAsideOddTypes(redis: Redis, keys: readonly string[]): Promise<number> {
  const types = await typesScript(keys.length)(redis, keys, []);
  const moved = await Promise.all(
    keys.map((key, i) => {
      const wanted = typeOfKey(key);
      const isOdd = wanted !== null && types[i] !== 'none' && types[i] !== wanted;
      return isOdd && setAside(redis, key, { type: 'type', wanted });
    }),
  );
  return moved.filter(Boolean).length;
}

// KEYS any | returns the type of each
function typesScript(keyCount: number): Script<string[]> {
  const script =
    typesScripts.get(keyCount) ??
    rawScript<string[]>(
      `typesOf${keyCount}`,
      keyCount,
      `local types = {}
       for i = 1, #KEYS do types[i] = redis.call('TYPE', KEYS[i]).ok end
       return types`,
    );
  typesScripts.set(keyCount, script);
  return script;
}

const typesScripts = new Map<number, Script<string[]>>();

/** Runs `call`, which uses these keys, and once more where one of them was of another type. */
export async function settingAside<T>(
  redis: Redis,
  keys: readonly string[],
  call: () => Promise<T>,
): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!isWrongType(error) || (await setAsideOddTypes(redis, keys)) === 0) throw error;
    return call();
  }
}

/** How many there are, of a session and of none. */
export async function countAside(redis: Redis, session: string): Promise<number> {
  const counts = await Promise.all([sessionKeys(session).aside, asideKey].map((key) => redis.hlen(key)));
  return counts.reduce((sum, count) => sum + count, 0);
}
