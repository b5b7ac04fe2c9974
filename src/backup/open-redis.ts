import { once } from 'node:events';
import { messageOf, OperatorError } from '../contract/errors.js';
import type { Config } from '../platform/config/config.js';
import {
  type CredentialsKey,
  loadCredentialsKey,
  loadOrMakeCredentialsKey,
} from '../platform/credentials-keys.js';
import {
  DataDirectoryInUseError,
  type DataDirectoryLock,
  lockDataDirectory,
} from '../platform/data-directory.js';
import { withDeadline } from '../platform/deadline.js';
import { startEmbeddedRedis } from '../platform/embedded-redis/embedded-redis.js';
import { prepareRedisPaths, redisUrlOf } from '../platform/embedded-redis/paths.js';
import { exists } from '../platform/files.js';
import { createLogger } from '../platform/logger.js';
import { connectFailFast, disconnect, type Redis } from '../platform/redis/connection.js';
import { problemOfServers } from '../platform/redis/preflight.js';
import { userProblem } from '../platform/redis/rights.js';

export interface OpenedRedis {
  readonly redis: Redis;
  /** The first encrypts the snapshots of a login, all decrypt. Empty: there is none. */
  readonly keys: readonly CredentialsKey[];
}

type Work<T> = (opened: OpenedRedis) => Promise<T>;

const connectDeadlineMs = 5_000;
const commandDeadlineMs = 30_000;
const log = createLogger('silent');

/** Throws an {@link OperatorError} if no product ever ran with this configuration. Creates nothing. */
export async function refuseIfNothingRan({ redisUrl, dataDir }: Config): Promise<void> {
  if (redisUrl !== null || (await exists(dataDir))) return;
  throw new OperatorError(
    `there is no ${dataDir}: run this where Holdline runs, or name its directory in WHATSAPP_DATA_DIR, or its Redis in REDIS_URL`,
  );
}

/**
 * Does `work` on the product's Redis, running or stopped. A stopped embedded Redis is started for that time, under the lock of
 * its data directory. Throws an {@link OperatorError} if Redis cannot be used.
 */
export async function withRedis<T>(config: Config, signal: AbortSignal, work: Work<T>): Promise<T> {
  const { redisUrl, dataDir, credentialsKeys } = config;
  if (redisUrl !== null) return withConnection(redisUrl, credentialsKeys, work);
  const lock = await lockDataDirectory(dataDir).catch((error) => {
    if (error instanceof DataDirectoryInUseError) return null;
    throw error;
  });
  if (lock !== null) return withStoppedProduct(lock, config, signal, work);
  const key = await loadCredentialsKey(dataDir);
  const keys = credentialsKeys.length > 0 || key === null ? credentialsKeys : [key];
  return withConnection(redisUrlOf(await prepareRedisPaths(dataDir)), keys, work);
}

/** The same, but refuses while the product of this data directory runs. With REDIS_URL, `work` must find out what runs. */
export async function withRedisOfStoppedProduct<T>(
  config: Config,
  signal: AbortSignal,
  work: Work<T>,
): Promise<T> {
  const { redisUrl, dataDir, credentialsKeys } = config;
  if (redisUrl !== null) return withConnection(redisUrl, credentialsKeys, work);
  return withStoppedProduct(await lockDataDirectory(dataDir), config, signal, work);
}

async function withStoppedProduct<T>(
  lock: DataDirectoryLock,
  { dataDir, credentialsKeys }: Config,
  signal: AbortSignal,
  work: Work<T>,
): Promise<T> {
  try {
    const keys = credentialsKeys.length > 0 ? credentialsKeys : [await loadOrMakeCredentialsKey(dataDir)];
    const server = await startEmbeddedRedis({ dataDir, log, signal });
    try {
      return await withConnection(server.url, keys, work);
    } finally {
      await server.stop();
    }
  } finally {
    await lock.release();
  }
}

async function withConnection<T>(url: string, keys: readonly CredentialsKey[], work: Work<T>): Promise<T> {
  const redis = connectFailFast(url, commandDeadlineMs, log);
  try {
    let lastError: unknown = null;
    redis.on('error', (error: unknown) => {
      lastError = error;
    });
    const userHasProblem = await userProblem(url).catch(() => null);
    if (userHasProblem !== null) throw new OperatorError(userHasProblem);
    if (redis.status !== 'ready') {
      await withDeadline(once(redis, 'ready'), connectDeadlineMs, 'it').catch((error) => {
        throw new OperatorError(
          `Redis cannot be reached (${messageOf(lastError ?? error)}): start it, correct REDIS_URL, or wait until Holdline has started or stopped`,
        );
      });
    }
    const problem = await problemOfServers(redis);
    if (problem !== null) throw new OperatorError(problem);
    return await work({ redis, keys });
  } finally {
    await disconnect(redis);
  }
}
