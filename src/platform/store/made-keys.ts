import { z } from 'zod';
import { type ApiKey, keyNamePattern, scopes } from '../../contract/access.js';
import { bounds } from '../../contract/bounds.js';
import { parseAs } from '../../contract/json.js';
import { apiKeysKey } from '../../contract/keys.js';
import { sessionNamePattern } from '../../contract/names.js';
import type { Redis } from '../redis/connection.js';
import { luaScript } from '../redis/lua-script.js';
import { withQuarantine } from '../redis/quarantine.js';

/**
 * The API keys that are made while the product runs: a hash from the sha256 of each to what it may do. An entry that cannot be read is
 * a key that does not exist.
 */
export interface MadeKey extends ApiKey {
  readonly created_at: string;
  /** By the clock of who asks. null: never. */
  readonly expires_at: string | null;
}

/** Times are as `toISOString` writes them, so that texts compare as times do. */
const time = z.iso.datetime().length(24);
const storedKeySchema = z.object({
  name: z.string().regex(keyNamePattern),
  scope: z.enum(scopes),
  sessions: z.array(z.string().regex(sessionNamePattern)).min(1).nullable(),
  created_at: time,
  expires_at: time.nullable(),
});

/** An entry of the hash. null: there is none, it cannot be read, or the key has expired. */
export function parseMadeKey(sha256: string, json: string | null | undefined): MadeKey | null {
  const stored = parseAs(storedKeySchema, json);
  if (stored === null || (stored.expires_at !== null && stored.expires_at <= now())) return null;
  return { ...stored, sha256 };
}

/** All keys that have not expired. */
export async function readMadeKeys(redis: Redis): Promise<MadeKey[]> {
  const entries = await withQuarantine(redis, [apiKeysKey], () => redis.hgetall(apiKeysKey));
  return Object.entries(entries).flatMap(([digest, json]) => parseMadeKey(digest, json) ?? []);
}

/** An entry of the hash, which {@link parseMadeKey} reads. */
export function madeKeyJson({ sha256: _, ...stored }: MadeKey): string {
  return JSON.stringify(stored);
}

/** Of two at once with the same name, one is added. */
export async function addMadeKey(redis: Redis, key: MadeKey): Promise<'added' | 'name taken' | 'too many'> {
  const args = [key.sha256, madeKeyJson(key), key.name, now(), bounds.apiKeys];
  const added = await addKeyScript(redis, [apiKeysKey], args);
  if (added === 1) return 'added';
  return added === 0 ? 'name taken' : 'too many';
}

/** False: there is no such key. */
export async function removeMadeKey(redis: Redis, name: string): Promise<boolean> {
  return (await removeKeyScript(redis, [apiKeysKey], [name, now()])) > 0;
}

function now(): string {
  return new Date().toISOString();
}

/** `each(digest, name, hasExpired)` for every entry; an unreadable one has no name. */
const forEachKey = `local function forEachKey(now, each)
     local entries = redis.call('HGETALL', KEYS[1])
     for i = 1, #entries, 2 do
       local isJson, key = pcall(cjson.decode, entries[i + 1])
       if not isJson or type(key) ~= 'table' then key = {} end
       each(entries[i], key.name, type(key.expires_at) == 'string' and key.expires_at <= now)
     end
   end`;

// KEYS apiKeys | ARGV digest json name now max | returns 1, 0 if a living key has the name, -1 if there are max keys
// Removes the expired keys.
const addKeyScript = luaScript<number>(
  'addKey',
  1,
  `${forEachKey}
   local count, isTaken = 0, false
   forEachKey(ARGV[4], function(digest, name, hasExpired)
     if hasExpired then redis.call('HDEL', KEYS[1], digest) else count = count + 1 end
     if not hasExpired and name == ARGV[3] then isTaken = true end
   end)
   if isTaken then return 0 end
   if count >= tonumber(ARGV[5]) then return -1 end
   redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
   return 1`,
);

// KEYS apiKeys | ARGV name now | returns how many living keys of this name were removed
const removeKeyScript = luaScript<number>(
  'removeKey',
  1,
  `${forEachKey}
   local removed = 0
   forEachKey(ARGV[2], function(digest, name, hasExpired)
     if name ~= ARGV[1] then return end
     redis.call('HDEL', KEYS[1], digest)
     if not hasExpired then removed = removed + 1 end
   end)
   return removed`,
);
