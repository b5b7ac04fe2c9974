import { Redis } from 'ioredis';
import { type RedisServer, startRedis } from './redis-server.js';

/** Names the server that the files of a quick run share. */
export const sharedRedisVariable = 'HOLDLINE_TEST_REDIS_URL';

/** One for each time that a test file asks, in the whole run. */
const databases = 1_024;
/** What one user of a shared server would do to all. Statistics it may read, but they count all. */
const forbidden = ['flushall', 'config', 'swapdb', 'shutdown', 'debug'];

/** A Redis for tests that only need data: a server, or a database of one that is shared. */
export type RedisForData = Pick<RedisServer, 'url' | 'stop'>;

/** A server for many test files; whatever one does to the server itself, not to its database, is refused. */
export async function startSharedRedis(): Promise<RedisServer> {
  const server = await startRedis({ settings: ['--databases', String(databases)] });
  await withClient(server.url, (redis) =>
    redis.acl('SETUSER', 'default', ...forbidden.map((command) => `-${command}`)),
  );
  return server;
}

/**
 * For a test that neither ends, freezes, configures nor measures its Redis, and empties it with FLUSHDB: in a quick run a
 * database of its own on the shared server, else a server of its own. Channels are not of a database: others may publish.
 */
export async function openRedis(): Promise<RedisForData> {
  const shared = process.env[sharedRedisVariable];
  if (shared === undefined) return startRedis();
  const number = await withClient(shared, (redis) => redis.incr('databases'));
  const url = `${shared}/${number}`;
  return {
    url,
    async stop() {
      await withClient(url, (redis) => redis.flushdb());
    },
  };
}

async function withClient<T>(url: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url);
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}
