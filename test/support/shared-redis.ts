import { Redis } from 'ioredis';
import { type RedisServer, startRedis } from './redis-server.js';

/** URL of the server that the files of a quick run share. */
export const sharedRedisVariable = 'HOLDLINE_TEST_REDIS_URL';

/** Each call of openRedis() in the whole run takes one. */
const databases = 1_024;
/** Commands that would affect every user of the server. Statistics are allowed, but cover all users. */
const forbidden = ['flushall', 'config', 'swapdb', 'shutdown', 'debug'];

/** A Redis for tests that only need data: a server, or one database of a shared server. */
export type RedisForData = Pick<RedisServer, 'url' | 'stop'>;

/** Starts a server for many test files. It refuses commands that affect the server and not one database. */
export async function startSharedRedis(): Promise<RedisServer> {
  const server = await startRedis({ settings: ['--databases', String(databases)] });
  await withClient(server.url, (redis) =>
    redis.acl('SETUSER', 'default', ...forbidden.map((command) => `-${command}`)),
  );
  return server;
}

/**
 * For a test that does not end, freeze, configure or measure its Redis, and that empties it with FLUSHDB. A quick run gives
 * each test a database on the shared server; otherwise it gets its own server. Channels belong to no database: other tests
 * may publish on them.
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
