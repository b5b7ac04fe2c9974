import { createHash } from 'node:crypto';
import { type KeyType, typeOfKey } from '../../contract/key-types.js';
import { quarantineIndexKey, quarantineKey, sessionKeys } from '../../contract/keys.js';
import { isWrongType } from '../data-errors.js';
import type { Redis } from './connection.js';
import { quarantineArgs, quarantineIndexOf, quarantineLua } from './quarantine-lua.js';
import { rawScript, variadicScript } from './raw-script.js';
import { logOf, type StoreConnection } from './store-connection.js';

/**
 * The quarantine for our keys that cannot be used, because their type is wrong or their text unreadable. One step moves a key
 * there: it renames the key to `{wa}:aside:<rest of its name>`, keeps it for seven days, and notes it in the hash `aside` of
 * its session or of the deployment. After that the product works as if the key had never existed. A newer key of the same
 * name replaces an older one, and the number of names is bounded. The log has only the name: the content may be secret.
 * The quarantine is deleted with the account's data.
 */

/** Why a key cannot be used. The step that moves the key checks it again, because other processes write too. */
export type Defect =
  | { readonly type: 'wrong type'; readonly wanted: KeyType }
  /** `digest`: sha1 of the text, in hex. */
  | { readonly type: 'unreadable'; readonly digest: string }
  /** The key must expire, but has no TTL. */
  | { readonly type: 'no expiry' }
  /** The key is a stream, and no id can follow its last one. */
  | { readonly type: 'last id' };

/** The texts for the log and the index. */
export const defectReasons: Readonly<Record<Defect['type'], string>> = {
  'wrong type': 'it has a wrong type',
  unreadable: 'it is unreadable',
  'no expiry': 'it would never expire',
  'last id': 'nothing can be added after its last entry',
};

/** Moves a key to quarantine. False: the key no longer has this defect, and stays. */
export async function quarantine(redis: StoreConnection, key: string, defect: Defect): Promise<boolean> {
  const why = defectReasons[defect.type];
  const args = [defect.type, operandOf(defect), why, ...quarantineArgs];
  const isMoved = await quarantineScript(redis, [key, quarantineKey(key), quarantineIndexOf(key)], args);
  if (isMoved === 1) logQuarantined(redis, key, why);
  return isMoved === 1;
}

function operandOf(defect: Defect): string {
  if (defect.type === 'wrong type') return defect.wanted;
  return defect.type === 'unreadable' ? defect.digest : '';
}

// KEYS key, its name in quarantine, index
// ARGV defect, its wanted type or digest, why, quarantineArgs
// returns 1, or 0 if the key does not have this defect
const quarantineScript = rawScript<number>(
  'quarantine',
  3,
  `${quarantineLua(3, 4)}
   local found = redis.call('TYPE', KEYS[1]).ok
   local isDefect = found ~= 'none'
   if ARGV[1] == 'wrong type' then isDefect = isDefect and found ~= ARGV[2]
   elseif ARGV[1] == 'unreadable' then
     isDefect = found == 'string' and redis.sha1hex(redis.call('GET', KEYS[1])) == ARGV[2]
   elseif ARGV[1] == 'no expiry' then isDefect = isDefect and redis.call('PTTL', KEYS[1]) == -1
   else isDefect = found == 'stream' end
   if not isDefect then return 0 end
   quarantine(KEYS[1], ARGV[3])
   return 1`,
);

/** Quarantines a string that the caller could not read. False: it has been deleted or replaced since. */
export async function quarantineUnreadable(redis: StoreConnection, key: string): Promise<boolean> {
  const text = await redis.getBuffer(key);
  if (text === null) return false;
  const digest = createHash('sha1').update(text).digest('hex');
  return quarantine(redis, key, { type: 'unreadable', digest });
}

/** Puts a copy of an unreadable field into quarantine. The key stays: BullMQ must settle a job where it is. */
export async function quarantineCopy(redis: StoreConnection, key: string, text: string): Promise<void> {
  const keys = [quarantineKey(key), quarantineIndexOf(key)];
  await quarantineCopyScript(redis, keys, [key, text, defectReasons.unreadable, ...quarantineArgs]);
  logQuarantined(redis, key, defectReasons.unreadable);
}

// KEYS name in quarantine, index
// ARGV key text why, quarantineArgs
// returns 1
const quarantineCopyScript = rawScript<number>(
  'quarantineCopy',
  2,
  `${quarantineLua(2, 4)}
   redis.call('SET', KEYS[1], ARGV[2])
   noteQuarantined(ARGV[1], ARGV[3])
   return 1`,
);

/** The text for {@link quarantineCopy}, if the value was parsed already. */
export function toJsonText(value: unknown): string {
  return JSON.stringify(value) ?? '';
}

/** Logs that a key was quarantined. For scripts that do it themselves. */
export function logQuarantined(redis: StoreConnection, key: string, why: string): void {
  logOf(redis)?.error(
    { key, why, setAside: quarantineKey(key) },
    'a key in Redis cannot be used; moved to quarantine',
  );
}

/** Quarantines the keys whose type is not the one in key-types.ts. Returns how many. */
export async function quarantineWrongTypes(redis: StoreConnection, keys: readonly string[]): Promise<number> {
  const types = await typesScript(redis, keys, []);
  const moved = await Promise.all(
    keys.map((key, i) => {
      const wanted = typeOfKey(key);
      const isWrong = wanted !== null && types[i] !== 'none' && types[i] !== wanted;
      return isWrong && quarantine(redis, key, { type: 'wrong type', wanted });
    }),
  );
  return moved.filter(Boolean).length;
}

// KEYS any number of keys
// returns the type of each
const typesScript = variadicScript<string[]>(
  'typesOf',
  `local types = {}
   for i = 1, #KEYS do types[i] = redis.call('TYPE', KEYS[i]).ok end
   return types`,
);

/** Runs `call`, which uses these keys. If one of them has a wrong type, quarantines it and runs `call` once more. */
export async function withQuarantine<T>(
  redis: StoreConnection,
  keys: readonly string[],
  call: () => Promise<T>,
): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!isWrongType(error) || (await quarantineWrongTypes(redis, keys)) === 0) throw error;
    return call();
  }
}

/** How many keys of these sessions and of the deployment are in quarantine. */
export async function countQuarantined(redis: Redis, sessions: readonly string[]): Promise<number> {
  const indexes = [quarantineIndexKey, ...sessions.map((session) => sessionKeys(session).quarantineIndex)];
  const counts = await Promise.all(indexes.map((index) => redis.hlen(index)));
  return counts.reduce((sum, count) => sum + count, 0);
}
