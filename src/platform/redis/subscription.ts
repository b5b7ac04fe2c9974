import { Cluster } from 'ioredis';
import type { Logger } from '../logger.js';
import { retryUntilSuccess } from '../retry.js';
import type { Redis } from './connection.js';

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
  // A cluster's subscriber leaves it at that: the channel is silent until that connection is made anew.
  if (!(redis instanceof Cluster)) redis.options.autoResubscribe = false;
  const sentence = `redis refused the subscription to ${channel}; trying again`;
  let isAsking = false;
  const subscribe = () => {
    if (isAsking) return;
    isAsking = true;
    retryUntilSuccess(() => redis.subscribe(channel), { signal, log, sentence })
      // It rejects at the end only.
      .catch(() => undefined)
      .finally(() => {
        isAsking = false;
      });
  };
  redis.on('ready', subscribe);
  subscribe();
}
