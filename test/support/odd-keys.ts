import type { Redis } from 'ioredis';
import { type KeyType, typeOfKey } from '../../src/contract/key-types.js';

/** What somebody may have written under a key of ours. */
export interface OddContent {
  readonly what: string;
  readonly type: KeyType;
  /** Writes it in the place of what is there. */
  write(redis: Redis, key: string): Promise<unknown>;
}

const rubbish = 'rub{bish "';
const hugeText = 'x y'.repeat(1_000_000);

const writing = (...words: (string | number)[]) => {
  const [command = '', ...args] = words;
  // In one step: nobody finds the key without either.
  return (redis: Redis, key: string) =>
    redis
      .multi()
      .del(key)
      .call(String(command), key, ...args)
      .exec();
};

export const oddContents: readonly OddContent[] = [
  { what: 'a list', type: 'list', write: writing('rpush', rubbish) },
  { what: 'a hash', type: 'hash', write: writing('hset', 'odd', rubbish) },
  { what: 'a set', type: 'set', write: writing('sadd', rubbish) },
  { what: 'a sorted set', type: 'zset', write: writing('zadd', 1, rubbish) },
  { what: 'a stream', type: 'stream', write: writing('xadd', '*', 'odd', rubbish) },
  { what: 'rubbish', type: 'string', write: writing('set', rubbish) },
  { what: 'nothing', type: 'string', write: writing('set', '') },
  { what: 'a huge text', type: 'string', write: writing('set', hugeText) },
];

/** Whether it is odd under this key: under some any text is as good as another. */
export function mayBe({ type }: OddContent, key: string): boolean {
  const isOpaque = /:(?:qr:\w+|id|pc|limiter|stalled-check)$/.test(key);
  return type !== typeOfKey(key) || (type === 'string' && !isOpaque);
}
