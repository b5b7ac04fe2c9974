import { Cluster } from 'ioredis';
import { OperatorError } from '../../contract/errors.js';
import type { Timing } from '../../contract/timing.js';
import type { Logger } from '../logger.js';
import { retryUntilSuccess } from '../retry.js';
import { connectPatiently, disconnect, type Redis } from './connection.js';
import { userProblem } from './rights.js';

/** Whether this Redis can be built upon: it lets us in and do all, is new enough, and never throws away what it was given. */
export interface RedisPreflight {
  /**
   * Settles at the first contact, however late that is. Rejects with an OperatorError where this Redis is refused, and with
   * any error once {@link stop} was called. What changes later is only told in the log: a session that runs is not ended for it.
   */
  readonly verdict: Promise<void>;
  stop(): Promise<void>;
}

interface FitnessOptions {
  readonly redisUrl: string;
  readonly timing: Timing;
  readonly log: Logger;
}

export function watchRedisPreflight({ redisUrl, timing, log }: FitnessOptions): RedisPreflight {
  const stopping = new AbortController();
  const { signal } = stopping;
  // The parts say when Redis is away.
  const redis = connectPatiently(redisUrl, timing, log.child({}, { level: 'error' }));
  const insistence = {
    signal,
    log,
    sentence: 'redis does not say what it is, and what its user may do; asking again',
  };
  const firstProblem = async () => {
    const problem = await userProblem(redisUrl);
    if (problem !== null) return problem;
    // Of a cluster no node is known before.
    if (redis.status !== 'ready') await new Promise((resolve) => redis.once('ready', resolve));
    return problemOf(redis);
  };
  let hasVerdict = false;
  const verdict = retryUntilSuccess(firstProblem, insistence).then((problem) => {
    hasVerdict = true;
    if (problem !== null) throw new OperatorError(problem);
  });
  redis.on('ready', async () => {
    if (!hasVerdict) return;
    // It may be another one by now. Where it does not say, the next connection asks again.
    const problem = await problemOf(redis).catch(() => null);
    if (problem !== null) log.error(problem);
  });
  // It may come while the parts still start, and nobody waits for it yet.
  verdict.catch(() => undefined);
  return {
    verdict,
    stop() {
      stopping.abort();
      return disconnect(redis);
    },
  };
}

async function problemOf(redis: Redis): Promise<string | null> {
  return (await infoOf(redis)).map(unfitness).find((problem) => problem !== null) ?? null;
}

/** What each server says of itself. */
export async function infoOf(redis: Redis): Promise<string[]> {
  const servers = redis instanceof Cluster ? redis.nodes('master') : [redis];
  return Promise.all(servers.map((server) => server.info()));
}

/** A field of the reply of INFO. */
export function infoField(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
}

/** One sentence with the way out; null where there is nothing to say. `info` is the reply of INFO. */
export function unfitness(info: string): string | null {
  const value = (name: string) => infoField(info, name);
  const version = value('redis_version');
  const [major = 0, minor = 0] = (version ?? '99.0').split('.').map(Number);
  if (major < 6 || (major === 6 && minor < 2)) {
    return `Redis ${version} is too old: upgrade it to 6.2 or newer, or leave REDIS_URL out to use the one that Holdline brings`;
  }
  const policy = value('maxmemory_policy') ?? 'noeviction';
  if (policy !== 'noeviction') {
    return `Redis may throw away logins and messages when its memory is full (maxmemory-policy is ${policy}): set maxmemory-policy noeviction, in redis.conf and with CONFIG SET`;
  }
  return null;
}
