import { messageOf, OperatorError } from '../contract/errors.js';
import { sessionKeys } from '../contract/keys.js';
import type { Config } from '../platform/config/config.js';
import { lockDataDirectory } from '../platform/data-directory.js';
import { withDeadline } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import { connectPatiently, disconnect } from '../platform/redis/connection.js';

/**
 * Does `work` while no run of the session exists. Without `REDIS_URL` the lock of the data directory keeps the product
 * from starting meanwhile; with one, a start in these moments is for the operator to avoid. Throws an
 * {@link OperatorError} where the session or the product runs.
 */
export async function whileIdle<T>(
  config: Config,
  session: string,
  log: Logger,
  work: () => Promise<T>,
): Promise<T> {
  if (config.redisUrl !== null) {
    await refuseIfStarted(config.redisUrl, session, config, log);
    return work();
  }
  const lock = await lockDataDirectory(config.dataDir);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

async function refuseIfStarted(
  redisUrl: string,
  session: string,
  { timing }: Config,
  log: Logger,
): Promise<void> {
  const redis = connectPatiently(redisUrl, timing, log);
  try {
    const jobs = await withDeadline(redis.exists(sessionKeys(session).job), 5_000, 'Redis (REDIS_URL)');
    if (jobs === 0) return;
  } catch (error) {
    throw new OperatorError(`nobody can say whether the session runs: ${messageOf(error)}`, { cause: error });
  } finally {
    await disconnect(redis);
  }
  throw new OperatorError(`the session ${session} is started: stop it (POST /api/stop), then import again`);
}
