import { realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findRedisIn } from '../../src/platform/embedded-redis/leftover-server.js';
import { adoptRedis, endRedis } from '../../src/platform/embedded-redis/process.js';
import { isRunning, signalProcess } from '../../src/platform/proc.js';
import { eventually } from '../support/eventually.js';

/** More than a shutdown may take. */
const stopMs = 30_000;
const redisGraceMs = 5_000;

/** Ends the product, if it still runs, and the Redis that a killed product leaves. Then removes the directory. */
export async function cleanUp(dir: string, productPid: number | null): Promise<void> {
  if (productPid !== null) {
    signalProcess(productPid, 'SIGTERM');
    await eventually(async () => !(await isRunning(productPid)), { timeoutMs: stopMs }).catch(() =>
      signalProcess(productPid, 'SIGKILL'),
    );
  }
  // A server is found by its working directory, which has no symbolic links.
  const redisDir = await realpath(join(dir, 'data', 'redis')).catch(() => null);
  const servers = redisDir === null ? [] : await findRedisIn(redisDir);
  await Promise.all(servers.map((pid) => endRedis(adoptRedis(pid, 100), redisGraceMs)));
  await rm(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 500 });
}
