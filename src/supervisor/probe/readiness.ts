import { isExecutable } from '../../platform/config/browser-executable.js';
import type { Config } from '../../platform/config/config.js';
import { withDeadline } from '../../platform/deadline.js';
import type { Redis } from '../../platform/redis/connection.js';
import { readSupervisors } from '../../platform/store/supervisor-registry.js';

interface ReadinessParts {
  readonly supervisorId: string;
  readonly redis: Redis;
  readonly config: Pick<Config, 'chromeExecutable'>;
  readonly isClosing: boolean;
  /** Why the newest browser did not start; null: it did, or none was needed yet. */
  readonly browserFailure: string | null;
}

const redisPatienceMs = 1_000;

/** What keeps a supervisor from taking or running a session, as sentences; empty: nothing. */
export async function readinessProblems(parts: ReadinessParts): Promise<string[]> {
  if (parts.isClosing) return ['the supervisor is stopping'];
  return [await redisProblem(parts), browserProblem(parts)].filter((problem) => problem !== null);
}

async function redisProblem({ redis, supervisorId }: ReadinessParts): Promise<string | null> {
  // A command that waits for the connection would wait there after the probe has gone, too.
  if (redis.status !== 'ready') return 'redis is not reachable';
  try {
    const roll = await withDeadline(readSupervisors(redis), redisPatienceMs, 'redis');
    if (roll.some(({ supervisor }) => supervisor === supervisorId)) return null;
    return 'the supervisor could not sign the roll of those alive';
  } catch {
    return `redis does not answer within ${redisPatienceMs / 1_000} s`;
  }
}

function browserProblem({ config, browserFailure }: ReadinessParts): string | null {
  const { chromeExecutable } = config;
  if (!isExecutable(chromeExecutable)) return `the browser ${chromeExecutable} is not an executable file`;
  return browserFailure === null ? null : `the browser does not start: ${browserFailure}`;
}
