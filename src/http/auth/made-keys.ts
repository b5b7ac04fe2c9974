import { z } from 'zod';
import { type ApiKey, apiKeyPattern, keyNamePattern, scopes } from '../../contract/access.js';
import { bounds } from '../../contract/bounds.js';
import { parseAs } from '../../contract/json.js';
import { apiKeysKey } from '../../contract/keys.js';
import { sessionNamePattern } from '../../contract/names.js';
import { sha256Hex } from '../../platform/digest.js';
import type { Redis } from '../../platform/redis/connection.js';
import { luaScript } from '../../platform/redis/lua-script.js';
import { withQuarantine } from '../../platform/redis/quarantine.js';
import { viaRedis } from '../core/redis-errors.js';

/**
 * The API keys that are made and ended while the product runs. Redis has their hashes, so every replica knows them at once. An entry
 * that cannot be read is a key that does not exist. All methods throw `redis_unavailable`.
 */
export interface MadeKeys {
  /** The key with this text. What cannot be such a key is not looked up. */
  find(text: string): Promise<MadeKey | null>;
  /** The key with this sha256. It is looked up by the hash of a random text, so the time reveals nothing. */
  get(digest: string): Promise<MadeKey | null>;
  list(): Promise<MadeKey[]>;
  /** Of two at once with the same name, one is added. */
  add(key: MadeKey): Promise<'added' | 'name taken' | 'too many'>;
  /** False: there is no such key. */
  remove(name: string): Promise<boolean>;
}

export interface MadeKey extends ApiKey {
  readonly created_at: string;
  /** By the clock of the replica that is asked. null: never. */
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

export function createMadeKeys(redis: Redis): MadeKeys {
  const read = <T>(call: () => Promise<T>) => viaRedis(() => withQuarantine(redis, [apiKeysKey], call));

  async function get(digest: string): Promise<MadeKey | null> {
    return parseMadeKey(digest, await read(() => redis.hget(apiKeysKey, digest)));
  }

  return {
    get,

    async find(text) {
      return apiKeyPattern.test(text) ? get(sha256Hex(text)) : null;
    },

    async list() {
      const entries = await read(() => redis.hgetall(apiKeysKey));
      return Object.entries(entries)
        .flatMap(([digest, json]) => parseMadeKey(digest, json) ?? [])
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    },

    async add({ sha256, ...stored }) {
      const args = [sha256, JSON.stringify(stored), stored.name, now(), bounds.apiKeys];
      const added = await viaRedis(() => addKeyScript(redis, [apiKeysKey], args));
      if (added === 1) return 'added';
      return added === 0 ? 'name taken' : 'too many';
    },

    async remove(name) {
      return (await viaRedis(() => removeKeyScript(redis, [apiKeysKey], [name, now()]))) > 0;
    },
  };
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
