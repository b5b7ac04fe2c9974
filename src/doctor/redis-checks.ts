import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { MiB } from '../contract/bounds.js';
import { DeadlineError, messageOf } from '../contract/errors.js';
import { redisNeedBytes } from '../contract/redis-needs.js';
import type { Config } from '../platform/config/config.js';
import { DataDirectoryInUseError, lockDataDirectory } from '../platform/data-directory.js';
import { withDeadline } from '../platform/deadline.js';
import { prepareRedisPaths, redisUrlOf } from '../platform/embedded-redis/paths.js';
import type { Logger } from '../platform/logger.js';
import { connectFailFast, type Redis, redisTimeMs } from '../platform/redis/connection.js';
import { infoField, persistenceProblem, serverInfos, serverProblem } from '../platform/redis/preflight.js';
import { countQuarantined } from '../platform/redis/quarantine.js';
import { userProblem } from '../platform/redis/rights.js';
import { sessionNames } from '../platform/store/session-register.js';
import { sharedAccounts } from '../platform/store/shared-accounts.js';
import { type RegisteredSupervisor, readSupervisors } from '../platform/store/supervisor-registry.js';
import { type Check, failure, ok, type Verdict, warning } from './check.js';

const answerTimeoutMs = 3_000;

/** Checks the Redis that this role uses, and the supervisors that are registered there. */
export function redisChecks(config: Config, log: Logger): Check[] {
  return [{ name: 'redis', run: () => redisVerdicts(config, log) }];
}

async function redisVerdicts(config: Config, log: Logger): Promise<Verdict[]> {
  if (config.redisUrl !== null) return verdictsAt(config.redisUrl, config, log);
  const { stdout } = await promisify(execFile)('redis-server', ['--version']).catch(() => {
    throw new Error(
      'redis-server is not on the PATH: apt-get install redis-server, or set REDIS_URL to a Redis of your own',
    );
  });
  const program = ok(`embedded Redis: ${/v=\S+/.exec(stdout)?.[0].slice(2) ?? stdout.trim()}`);
  const running = existsSync(config.dataDir) ? await findEmbeddedRedis(config.dataDir) : null;
  if (running === null) return [program, ok('not running; npm start starts it')];
  return [program, ok(running.message), ...(await verdictsAt(running.url, config, log))];
}

/** Tries to lock the data directory, as a start does. A running Holdline holds that lock; null: none runs there. */
async function findEmbeddedRedis(dataDir: string): Promise<{ message: string; url: string } | null> {
  try {
    await (await lockDataDirectory(dataDir)).release();
    return null;
  } catch (error) {
    if (!(error instanceof DataDirectoryInUseError)) throw error;
    const url = redisUrlOf(await prepareRedisPaths(dataDir));
    return { message: messageOf(error).split(':', 1)[0] ?? '', url };
  }
}

async function verdictsAt(url: string, config: Config, log: Logger): Promise<Verdict[]> {
  // A rejection is not reported here: the connection below then fails too, with the reason.
  const rightsProblem = await userProblem(url).catch(() => undefined);
  if (typeof rightsProblem === 'string') return [failure(rightsProblem)];
  const redis = connectFailFast(url, answerTimeoutMs, log.child({}, { level: 'silent' }));
  let lastError: unknown = new DeadlineError('it', answerTimeoutMs);
  redis.on('error', (error: unknown) => {
    lastError = error;
  });
  try {
    if (redis.status !== 'ready')
      await withDeadline(once(redis, 'ready'), answerTimeoutMs, 'it').catch(() => {});
    if (redis.status !== 'ready') {
      return [failure(`Redis cannot be reached (${messageOf(lastError)}): start it, or correct REDIS_URL`)];
    }
    const rights = rightsProblem === null ? [ok('its user has all rights that Holdline needs')] : [];
    return [...rights, ...(await serverVerdicts(redis, config))];
  } finally {
    redis.disconnect();
  }
}

async function serverVerdicts(redis: Redis, config: Config): Promise<Verdict[]> {
  const sentAt = Date.now();
  const redisMs = await redisTimeMs(redis);
  const clock = clockVerdict((sentAt + Date.now()) / 2 - redisMs);
  const infos = await serverInfos(redis);
  const supervisors = await readSupervisors(redis);
  return [
    ...infos.flatMap((info) => [...infoVerdicts(info), ...memoryVerdicts(info)]),
    clock,
    ...quarantineVerdicts(await countQuarantined(redis, await sessionNames(redis))),
    ...supervisorVerdicts(supervisors, config),
    ...sharedAccountVerdicts(await sharedAccounts(redis)),
  ];
}

/** `info`: the reply of INFO. What fails in the first verdict also makes a start fail. */
export function infoVerdicts(info: string): Verdict[] {
  const value = (name: string) => infoField(info, name);
  const problem = serverProblem(info);
  const server = problem === null ? ok(`Redis ${value('redis_version')}, evicts nothing`) : failure(problem);
  return [server, persistenceVerdict(info)];
}

/** Whether Redis may use as much memory as Holdline can need. There is no verdict if `info` does not say how much. */
export function memoryVerdicts(info: string): Verdict[] {
  const value = (name: string) => Number(infoField(info, name) ?? 0);
  const maxMemory = value('maxmemory');
  const available = maxMemory > 0 ? maxMemory : value('total_system_memory');
  if (available === 0) return [];
  const where = maxMemory > 0 ? 'by its maxmemory' : 'of the machine that it runs on, without a maxmemory';
  const text = `it has ${inMb(available)} MB ${where}; Holdline needs at most ${inMb(redisNeedBytes)} MB of it`;
  if (available >= redisNeedBytes) return [ok(text)];
  const wayOut = maxMemory > 0 ? 'raise maxmemory' : 'give that machine more';
  return [warning(`${text}: ${wayOut}, or messages and logins are refused once it is full (docs/bounds.md)`)];
}

function inMb(bytes: number): number {
  return Math.floor(bytes / MiB);
}

function persistenceVerdict(info: string): Verdict {
  const value = (name: string) => infoField(info, name);
  if (value('aof_last_write_status') === 'err' || value('rdb_last_bgsave_status') === 'err') {
    return failure('Redis could not write to its disk: look at its log and at the free space');
  }
  const problem = persistenceProblem(info);
  return problem === null ? ok('keeps its data in an append-only file') : warning(problem);
}

/** `aheadMs`: how far the clock of this machine is ahead of that of Redis. */
export function clockVerdict(aheadMs: number): Verdict {
  const seconds = Math.abs(aheadMs / 1_000).toFixed(1);
  const text = `the clock here is ${seconds} s ${aheadMs < 0 ? 'behind' : 'ahead of'} that of Redis`;
  if (Math.abs(aheadMs) > 60_000) return failure(`${text}: let NTP set both`);
  return Math.abs(aheadMs) > 2_000 ? warning(`${text}: let NTP set both`) : ok(text);
}

/** Nothing in quarantine is lost, but another program may have written these keys. */
export function quarantineVerdicts(count: number): Verdict[] {
  if (count === 0) return [];
  const [are, them] = count === 1 ? ['key is', 'it'] : ['keys are', 'them'];
  return [warning(`${count} unusable ${are} in quarantine: look at ${them} (docs/runbook.md)`)];
}

/** `shared`: the names of the sessions of each account that has several. */
function sharedAccountVerdicts(shared: readonly (readonly string[])[]): Verdict[] {
  return shared.map((sessions) =>
    warning(
      `the sessions ${sessions.join(', ')} are linked to one account: each gets all of its messages; log out those that are not needed`,
    ),
  );
}

function supervisorVerdicts(supervisors: readonly RegisteredSupervisor[], { role }: Config): Verdict[] {
  if (supervisors.length === 0) return [warning('no supervisor is alive: npm start -- supervisor')];
  const verdicts = supervisors.map(({ supervisor, room }) =>
    ok(`supervisor ${supervisor} is alive, room for ${room} more`),
  );
  const areFull = supervisors.every(({ room }) => room === 0);
  if (areFull) verdicts.push(warning('every supervisor is full: start another'));
  if (supervisors.length === 1 && role !== 'all')
    verdicts.push(warning('no standby: start a second supervisor'));
  return verdicts;
}
