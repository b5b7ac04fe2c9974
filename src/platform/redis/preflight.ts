import { Cluster } from 'ioredis';
import { OperatorError } from '../../contract/errors.js';
import type { Logger } from '../logger.js';
import { retryUntilSuccess } from '../retry.js';
import type { Redis } from './connection.js';
import { userProblem } from './rights.js';

/** Checks the Redis of REDIS_URL: login, rights, version, that it evicts nothing, and whether it keeps its data. */
export interface RedisPreflight {
  /**
   * Settles when Redis first answers; there is no deadline. Rejects with an OperatorError if this Redis cannot be used, and with
   * any error once {@link stop} was called. A problem that arises later is only logged: it ends no running session.
   */
  readonly verdict: Promise<void>;
  stop(): void;
}

interface PreflightOptions {
  readonly redisUrl: string;
  /** A connection of the process, to the same Redis. */
  readonly redis: Redis;
  readonly log: Logger;
}

export function watchRedisPreflight({ redisUrl, redis, log }: PreflightOptions): RedisPreflight {
  const stopping = new AbortController();
  const { signal } = stopping;
  const sentence = 'could not check Redis and the rights of its user; trying again';
  const findProblem = async () => {
    const problem = await userProblem(redisUrl);
    if (problem !== null) return problem;
    // Until then no node of a cluster is known.
    if (redis.status !== 'ready') await new Promise((resolve) => redis.once('ready', resolve));
    return problemWithWarning();
  };
  let hasWarned = false;
  /** Warns once of what prevents nothing. */
  async function problemWithWarning(): Promise<string | null> {
    const infos = await serverInfos(redis);
    const warning = firstOf(infos, persistenceProblem);
    if (warning !== null && !hasWarned) log.warn(warning);
    hasWarned ||= warning !== null;
    return firstOf(infos, serverProblem);
  }
  let hasVerdict = false;
  const verdict = retryUntilSuccess(findProblem, { signal, log, sentence }).then((problem) => {
    hasVerdict = true;
    if (problem !== null) throw new OperatorError(problem);
  });
  const onReady = async () => {
    if (!hasVerdict) return;
    // It may be another server now. If the check fails, it runs again after the next reconnect.
    const problem = await problemWithWarning().catch(() => null);
    if (problem !== null) log.error(problem);
  };
  redis.on('ready', onReady);
  // It may reject while the parts still start, before it is awaited.
  verdict.catch(() => undefined);
  return {
    verdict,
    stop() {
      stopping.abort();
      redis.off('ready', onReady);
    },
  };
}

/** One sentence: what is wrong with a server of this Redis, and what to do. null: nothing is wrong. */
export async function problemOfServers(redis: Redis): Promise<string | null> {
  return firstOf(await serverInfos(redis), serverProblem);
}

function firstOf(infos: readonly string[], problemOf: (info: string) => string | null): string | null {
  return infos.map(problemOf).find((problem) => problem !== null) ?? null;
}

/** The reply of each master to INFO. */
export async function serverInfos(redis: Redis): Promise<string[]> {
  const servers = redis instanceof Cluster ? redis.nodes('master') : [redis];
  return Promise.all(servers.map((server) => server.info()));
}

/** A field of a reply to INFO. */
export function infoField(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
}

/** One sentence: what is wrong with a server, and what to do. null: nothing is wrong. `info`: its reply to INFO. */
export function serverProblem(info: string): string | null {
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

/** One sentence: what a restart of the server loses, and what to do. null: nothing. */
export function persistenceProblem(info: string): string | null {
  if (infoField(info, 'aof_enabled') === '1') return null;
  return 'Redis keeps no append-only file, so its restart loses everything since its last snapshot: set appendonly yes, in redis.conf and with CONFIG SET';
}
