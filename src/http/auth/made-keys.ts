import { apiKeyPattern } from '../../contract/access.js';
import { apiKeysKey } from '../../contract/keys.js';
import { sha256Hex } from '../../platform/digest.js';
import type { Redis } from '../../platform/redis/connection.js';
import { withQuarantine } from '../../platform/redis/quarantine.js';
import {
  addMadeKey,
  type MadeKey,
  parseMadeKey,
  readMadeKeys,
  removeMadeKey,
} from '../../platform/store/made-keys.js';
import { viaRedis } from '../core/redis-errors.js';

/**
 * The API keys that are made and ended while the product runs. Redis has their hashes, so every replica knows them at once. All
 * methods throw `redis_unavailable`.
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

export function createMadeKeys(redis: Redis): MadeKeys {
  async function get(digest: string): Promise<MadeKey | null> {
    const json = await viaRedis(() =>
      withQuarantine(redis, [apiKeysKey], () => redis.hget(apiKeysKey, digest)),
    );
    return parseMadeKey(digest, json);
  }

  return {
    get,

    async find(text) {
      return apiKeyPattern.test(text) ? get(sha256Hex(text)) : null;
    },

    async list() {
      const keys = await viaRedis(() => readMadeKeys(redis));
      return keys.sort((a, b) => (a.name < b.name ? -1 : 1));
    },

    add: (key) => viaRedis(() => addMadeKey(redis, key)),
    remove: (name) => viaRedis(() => removeMadeKey(redis, name)),
  };
}
