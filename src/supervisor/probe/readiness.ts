import type { Config } from '../../platform/config/config.js';
import { withDeadline } from '../../platform/deadline.js';
import { isExecutableFile } from '../../platform/files.js';
import type { Redis } from '../../platform/redis/connection.js';
import { readSupervisors } from '../../platform/store/supervisor-registry.js';

interface ReadinessParts {
  readonly supervisorId: string;
  readonly redis: Redis;
  readonly config: Pick<Config, 'chromeExecutable'>;
  readonly isClosing: boolean;
  /** Why the newest browser did not start. null: it did, or none was needed yet. */
  readonly browserFailure: string | null;
}

const redisTimeoutMs = 1_000;

/** Why a supervisor cannot take or run a session, as sentences. Empty: it can. */
export async function readinessProblems(parts: ReadinessParts): Promise<string[]> {
  if (parts.isClosing) return ['the supervisor is stopping'];
  return [await redisProblem(parts), browserProblem(parts)].filter((problem) => problem !== null);
}

async function redisProblem({ redis, supervisorId }: ReadinessParts): Promise<string | null> {
  // Without a connection, the command would stay queued even after the probe has ended.
  if (redis.status !== 'ready') return 'Redis is not reachable';
  try {
    const supervisors = await withDeadline(readSupervisors(redis), redisTimeoutMs, 'Redis');
    if (supervisors.some(({ supervisor }) => supervisor === supervisorId)) return null;
    return 'the supervisor could not register in Redis';
  } catch {
    return `Redis does not answer within ${redisTimeoutMs / 1_000} s`;
  }
}

function browserProblem({ config, browserFailure }: ReadinessParts): string | null {
  const { chromeExecutable } = config;
  if (!isExecutableFile(chromeExecutable)) return `the browser ${chromeExecutable} is not an executable file`;
  return browserFailure === null ? null : `the browser does not start: ${browserFailure}`;
}
