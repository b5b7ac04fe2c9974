import { Cluster } from 'ioredis';
import { insist } from './insist.js';
import type { Logger } from './logger.js';
import type { Redis } from './redis.js';

interface Subscription {
  readonly channel: string;
  /** Ends it, with the connection. */
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/**
 * Subscribes, now and whenever the connection was made anew, and insists where Redis refuses. ioredis itself would ask once,
 * and a refusal then is a rejection that nobody can handle.
 */
export function keepSubscribed(redis: Redis, { channel, signal, log }: Subscription): void {
  // A cluster's subscriber handles it.
  if (!(redis instanceof Cluster)) redis.options.autoResubscribe = false;
  const sentence = `redis refused the subscription to ${channel}; trying again`;
  const subscribe = () => {
    // It rejects at the end only.
    insist(() => redis.subscribe(channel), { signal, log, sentence }).catch(() => undefined);
  };
  redis.on('ready', subscribe);
  subscribe();
}
