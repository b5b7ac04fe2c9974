import { Redis } from 'ioredis';
import { keyPrefix } from '../../src/contract/keys.js';

/** Kinds of keys whose number follows from the requests made: each send, for example, leaves its job and record for a day. */
const kindsOfIds = [
  { pattern: /^(\{wa\}:(?:sends|reads)-[a-z0-9-]+):[a-z]-.{36}/, kind: 'jobs of commands' },
  { pattern: /^\{wa\}:s:[a-z0-9-]+:(?:attempt|answer):/, kind: 'records and answers of commands' },
  { pattern: /^\{wa\}:(?:limit|login|qr-link|qr-link-used|qr-visit|visits):/, kind: 'limits and logins' },
] as const;

/** The number of keys of each kind, and of all others. */
export type KeyCount = ReadonlyMap<string, number>;

export const otherKeys = 'other keys';

/** Counts the keys in a Redis; waits while it is down. */
export class KeyCounter {
  readonly #redis: Redis;

  constructor(redisUrl: string) {
    this.#redis = new Redis(redisUrl, { maxRetriesPerRequest: null, retryStrategy: () => 200 });
    this.#redis.on('error', () => undefined);
  }

  async count(): Promise<KeyCount> {
    const counts = new Map<string, number>(
      [...kindsOfIds.map(({ kind }) => kind), otherKeys].map((kind) => [kind, 0]),
    );
    for await (const keys of this.#redis.scanStream({ match: `${keyPrefix}*`, count: 1_000 })) {
      for (const key of keys as string[]) {
        const kind = kindsOfIds.find(({ pattern }) => pattern.test(key))?.kind ?? otherKeys;
        counts.set(kind, (counts.get(kind) ?? 0) + 1);
      }
    }
    return counts;
  }

  close(): void {
    this.#redis.disconnect();
  }
}
