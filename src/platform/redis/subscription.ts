import { Cluster } from 'ioredis';
import type { Logger } from '../logger.js';
import { retryUntilSuccess } from '../retry.js';
import type { Redis } from './connection.js';

interface Subscription {
  readonly channel: string;
  /** Ends the retries; the subscription itself ends with its connection. */
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/**
 * Subscribes now and after every reconnect, and retries if Redis refuses. ioredis itself would try once per connection, and
 * its rejection could not be handled.
 */
export function keepSubscribed(redis: Redis, { channel, signal, log }: Subscription): void {
  // A cluster has no such option. If it refuses, the channel stays silent until the next reconnect.
  if (!(redis instanceof Cluster)) redis.options.autoResubscribe = false;
  const sentence = `Redis refused the subscription to ${channel}; trying again`;
  let isTrying = false;
  const subscribe = () => {
    if (isTrying) return;
    isTrying = true;
    retryUntilSuccess(() => redis.subscribe(channel), { signal, log, sentence })
      // Rejects only when `signal` aborts.
      .catch(() => undefined)
      .finally(() => {
        isTrying = false;
      });
  };
  redis.on('ready', subscribe);
  subscribe();
}
