import { Redis } from 'ioredis';
import { keyPrefix } from '../../src/contract/keys.js';

/** Their number is that of what was asked for: each send, for one, leaves its job and its record for a day. */
const kindsOfIds = [
  { pattern: /^(\{wa\}:(?:sends|reads)-[a-z0-9-]+):[a-z]-.{36}/, kind: 'jobs of commands' },
  { pattern: /^\{wa\}:s:[a-z0-9-]+:(?:attempt|answer):/, kind: 'records and answers of commands' },
  { pattern: /^\{wa\}:(?:limit|login|qr-link|qr-visit|visits):/, kind: 'limits and visits' },
] as const;

/** How many keys there are, of each kind of id and else. */
export type KeyCount = ReadonlyMap<string, number>;

export const otherKeys = 'other keys';

/** Counts the keys in a Redis; waits for one that is away. */
export class KeyCensus {
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
