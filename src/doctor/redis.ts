import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { DeadlineError, messageOf } from '../contract/errors.js';
import { defaultSession } from '../contract/names.js';
import { redisNeedBytes } from '../contract/redis-needs.js';
import type { Config } from '../platform/config/config.js';
import { DataDirectoryInUseError, lockDataDirectory } from '../platform/data-directory.js';
import { withDeadline } from '../platform/deadline.js';
import { prepareRedisPlace } from '../platform/embedded-redis/paths.js';
import type { Logger } from '../platform/logger.js';
import { connectForAnswers, type Redis } from '../platform/redis/connection.js';
import { infoField, infoOf, unfitness } from '../platform/redis/preflight.js';
import { userProblem } from '../platform/redis/rights.js';
import { countAside } from '../platform/redis/set-aside.js';
import { readSupervisors } from '../platform/store/supervisor-registry.js';
import { type Check, failure, ok, type Verdict, warning } from './finding.js';

const patienceMs = 3_000;

/** The Redis that this role uses, and who is alive in it. */
export function redisChecks(config: Config, log: Logger): Check[] {
  return [{ name: 'redis', run: () => examineRedis(config, log) }];
}

async function examineRedis(config: Config, log: Logger): Promise<Verdict[]> {
  if (config.redisUrl !== null) return atUrl(config.redisUrl, config, log);
  const { stdout } = await promisify(execFile)('redis-server', ['--version']).catch(() => {
    throw new Error(
      'redis-server is not on the PATH: apt-get install redis-server, or set REDIS_URL to a Redis of your own',
    );
  });
  const program = ok(`a Redis of its own: ${/v=\S+/.exec(stdout)?.[0].slice(2) ?? stdout.trim()}`);
  const running = existsSync(config.dataDir) ? await runningOn(config.dataDir) : null;
  if (running === null) return [program, ok('not running; npm start starts it')];
  return [program, ok(running.message), ...(await atUrl(running.url, config, log))];
}

/** Of a product that runs on this data directory; null: none does. The lock is asked for as the start does. */
async function runningOn(dataDir: string): Promise<{ message: string; url: string } | null> {
  try {
    await (await lockDataDirectory(dataDir)).release();
    return null;
  } catch (error) {
    if (!(error instanceof DataDirectoryInUseError)) throw error;
    const { socket } = await prepareRedisPlace(dataDir);
    return { message: messageOf(error).split(':', 1)[0] ?? '', url: `unix://${encodeURI(socket)}` };
  }
}

async function atUrl(url: string, config: Config, log: Logger): Promise<Verdict[]> {
  // Where it cannot be asked, the connection below says why.
  const problem = await userProblem(url).catch(() => undefined);
  if (typeof problem === 'string') return [failure(problem)];
  const redis = connectForAnswers(url, patienceMs, log.child({}, { level: 'silent' }));
  let lastError: unknown = new DeadlineError('it', patienceMs);
  redis.on('error', (error: unknown) => {
    lastError = error;
  });
  try {
    if (redis.status !== 'ready') await withDeadline(once(redis, 'ready'), patienceMs, 'it').catch(() => {});
    if (redis.status !== 'ready') {
      return [failure(`Redis cannot be reached (${messageOf(lastError)}): start it, or mend REDIS_URL`)];
    }
    const user = problem === null ? [ok('its user may do all that is needed')] : [];
    return [...user, ...(await questions(redis, config))];
  } finally {
    redis.disconnect();
  }
}

async function questions(redis: Redis, config: Config): Promise<Verdict[]> {
  const sentAt = Date.now();
  const [seconds, micros] = await redis.time();
  const clock = clockVerdict((sentAt + Date.now()) / 2 - (Number(seconds) * 1_000 + Number(micros) / 1_000));
  const infos = await infoOf(redis);
  const roll = await readSupervisors(redis);
  return [
    ...infos.flatMap((info) => [...infoVerdicts(info), ...roomVerdicts(info)]),
    clock,
    ...asideVerdicts(await countAside(redis, defaultSession)),
    ...supervisorVerdicts(roll, config),
  ];
}

/** `info` is the reply of INFO; the start refuses by the same first question. */
export function infoVerdicts(info: string): Verdict[] {
  const value = (name: string) => infoField(info, name);
  const problem = unfitness(info);
  const fit = problem === null ? ok(`Redis ${value('redis_version')}, evicts nothing`) : failure(problem);
  return [fit, persistenceVerdict(value)];
}

/** Whether it has the memory for all that may stand in it. */
export function roomVerdicts(info: string): Verdict[] {
  const value = (name: string) => Number(infoField(info, name) ?? 0);
  const [most, machine] = [value('maxmemory'), value('total_system_memory')];
  const has = most > 0 ? most : machine;
  if (has === 0) return [];
  const where = most > 0 ? 'by its maxmemory' : 'of the machine that it runs on, without a maxmemory';
  const text = `it has ${inMb(has)} MB ${where}; Holdline needs at most ${inMb(redisNeedBytes)} MB of it`;
  if (has >= redisNeedBytes) return [ok(text)];
  const wayOut = most > 0 ? 'raise maxmemory' : 'give that machine more';
  return [warning(`${text}: ${wayOut}, or messages and logins are refused once it is full (docs/bounds.md)`)];
}

function inMb(bytes: number): number {
  return Math.floor(bytes / 1_048_576);
}

function persistenceVerdict(value: (name: string) => string | undefined): Verdict {
  if (value('aof_last_write_status') === 'err' || value('rdb_last_bgsave_status') === 'err') {
    return failure('Redis could not write to its disk: look at its log and at the space there');
  }
  if (value('aof_enabled') === '1') return ok('keeps its data in an append-only file');
  return warning(
    'no append-only file: what happened since the last snapshot is lost when Redis restarts; set appendonly yes',
  );
}

/** `aheadMs`: of this machine before Redis. */
export function clockVerdict(aheadMs: number): Verdict {
  const seconds = Math.abs(aheadMs / 1_000).toFixed(1);
  const text = `the clock here is ${seconds} s ${aheadMs < 0 ? 'behind' : 'ahead of'} that of Redis`;
  if (Math.abs(aheadMs) > 60_000) return failure(`${text}: let NTP set both`);
  return Math.abs(aheadMs) > 2_000 ? warning(`${text}: let NTP set both`) : ok(text);
}

/** What was set aside loses nothing by itself; that somebody else writes there is worth a look. */
export function asideVerdicts(count: number): Verdict[] {
  if (count === 0) return [];
  const [keys, was, them] = count === 1 ? ['key', 'was', 'it'] : ['keys', 'were', 'them'];
  return [
    warning(`${count} ${keys} that cannot be used ${was} set aside: look at ${them} (docs/runbook.md)`),
  ];
}

function supervisorVerdicts(
  roll: readonly { readonly supervisor: string; readonly room: number }[],
  { role }: Config,
): Verdict[] {
  if (roll.length === 0) return [warning('no supervisor is alive: npm start -- supervisor')];
  const alive = roll.map(({ supervisor, room }) =>
    ok(`supervisor ${supervisor} is alive, room for ${room} more`),
  );
  if (roll.every(({ room }) => room === 0)) alive.push(warning('every supervisor is full: start another'));
  if (roll.length === 1 && role !== 'all') alive.push(warning('no standby: start a second supervisor'));
  return alive;
}
