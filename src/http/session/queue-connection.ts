import type { Redis } from '../../platform/redis/connection.js';
import { viaRedis } from './redis-errors.js';

/** BullMQ waits for a connection before a command; a caller must not, nor have it carried out later. */
export async function unlessDown<T>(redis: Redis, call: () => Promise<T>): Promise<T> {
  return viaRedis(async () => {
    if (redis.status !== 'ready') throw new Error('not connected');
    return await call();
  });
}
