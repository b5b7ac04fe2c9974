import { messageOf, OperatorError } from '../contract/errors.js';
import { sessionKeys } from '../contract/keys.js';
import { pathOfSession } from '../contract/names.js';
import type { Config } from '../platform/config/config.js';
import { lockDataDirectory } from '../platform/data-directory.js';
import { withDeadline } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import { connectPatiently, disconnect } from '../platform/redis/connection.js';

/**
 * Does `work` while no run of the session exists. Without `REDIS_URL`, the lock of the data directory prevents a start of Holdline
 * during `work`. With `REDIS_URL`, nothing prevents a start during `work`: the operator must not start the session.
 * Throws an {@link OperatorError} if the session or Holdline runs.
 */
export async function whileStopped<T>(
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
    throw new OperatorError(`cannot find out whether the session runs: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    await disconnect(redis);
  }
  throw new OperatorError(
    `the session ${session} is started: stop it (POST ${pathOfSession(session, '/api/stop')}), then import again`,
  );
}
