import type { Redis } from 'ioredis';
import { type KeyType, typeOfKey } from '../../src/contract/key-types.js';

/** A value of the wrong type or form that another program may have written under one of our keys. */
export interface MalformedValue {
  readonly what: string;
  readonly type: KeyType;
  /** Replaces what is stored there. */
  write(redis: Redis, key: string): Promise<unknown>;
}

const rubbish = 'rub{bish "';
const hugeText = 'x y'.repeat(1_000_000);

const writing = (...words: (string | number)[]) => {
  const [command = '', ...args] = words;
  // One transaction: no reader finds the key missing.
  return (redis: Redis, key: string) =>
    redis
      .multi()
      .del(key)
      .call(String(command), key, ...args)
      .exec();
};

export const malformedValues: readonly MalformedValue[] = [
  { what: 'a list', type: 'list', write: writing('rpush', rubbish) },
  { what: 'a hash', type: 'hash', write: writing('hset', 'unknown', rubbish) },
  { what: 'a set', type: 'set', write: writing('sadd', rubbish) },
  { what: 'a sorted set', type: 'zset', write: writing('zadd', 1, rubbish) },
  { what: 'a stream', type: 'stream', write: writing('xadd', '*', 'unknown', rubbish) },
  { what: 'rubbish', type: 'string', write: writing('set', rubbish) },
  { what: 'nothing', type: 'string', write: writing('set', '') },
  { what: 'a huge text', type: 'string', write: writing('set', hugeText) },
];

/** Whether the value is malformed under this key. Some keys hold any text. */
export function isMalformedUnder({ type }: MalformedValue, key: string): boolean {
  const isOpaque = /:(?:qr:\w+|pairing-code|passkey|login-lost|id|pc|limiter|stalled-check)$/.test(key);
  return type !== typeOfKey(key) || (type === 'string' && !isOpaque);
}
