import { join } from 'node:path';
import type { Redis } from '../platform/redis/connection.js';
import {
  addMadeKey,
  type MadeKey,
  madeKeyJson,
  parseMadeKey,
  readMadeKeys,
} from '../platform/store/made-keys.js';
import { filesOfAll, keysSchema } from './contents.js';
import { readJson, writeJson } from './saved-data.js';

/** The API keys that were made while the product ran: their hashes, and what each may do. */

export function saveKeys(keys: readonly MadeKey[], dir: string): Promise<void> {
  const entries = keys.map((key) => [key.sha256, madeKeyJson(key)]);
  return writeJson(join(dir, filesOfAll.keys), Object.fromEntries(entries));
}

/** Those that have not expired since. */
export async function readKeys(dir: string): Promise<MadeKey[]> {
  const entries = Object.entries(await readJson(join(dir, filesOfAll.keys), keysSchema));
  return entries.flatMap(([sha256, json]) => parseMadeKey(sha256, json) ?? []);
}

export interface RestoredKeys {
  /** Those that are here now, also if they were here before. */
  readonly present: number;
  /** Names of keys that were left out: there is another key of this name here, or there are too many. */
  readonly leftOut: readonly string[];
}

/** Adds them to those that are here. None that is here is changed. */
export async function restoreKeys(redis: Redis, keys: readonly MadeKey[]): Promise<RestoredKeys> {
  const here = new Set((await readMadeKeys(redis)).map(({ sha256 }) => sha256));
  const leftOut: string[] = [];
  for (const key of keys) {
    if (here.has(key.sha256) || (await addMadeKey(redis, key)) === 'added') continue;
    leftOut.push(key.name);
  }
  return { present: keys.length - leftOut.length, leftOut };
}
