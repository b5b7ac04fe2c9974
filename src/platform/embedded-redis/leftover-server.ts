import { OperatorError } from '../../contract/errors.js';
import { pause } from '../deadline.js';
import { isRunning, listProcesses, readProcessStat, readWorkingDirectory } from '../proc.js';
import { adoptRedis, type RedisProcess, signalServer } from './process.js';
import { readServerInfo } from './server-info.js';
import { type EmbeddedRedisSettings, pollIntervalMs } from './settings.js';

/**
 * Adopts the server that an earlier run left in the directory, if it answers. Kills the servers there that do not.
 * null: none is left. Throws an {@link OperatorError} if the process of a server that answers is not visible from here, or if a
 * killed server does not end.
 */
export async function adoptLeftoverServer(settings: EmbeddedRedisSettings): Promise<RedisProcess | null> {
  const { paths, log, timing } = settings;
  const adoptedPid = await pidThatAnswers(settings);
  if (adoptedPid !== null && !(await isRunning(adoptedPid))) {
    throw new OperatorError(
      `a Redis that cannot be seen from here (in another container?) runs in ${paths.directory}: ` +
        'stop it first, or give this one its own WHATSAPP_DATA_DIR',
    );
  }
  for (const pid of await findRedisIn(paths.directory)) {
    if (pid === adoptedPid) continue;
    log.warn({ redisPid: pid }, 'killing an embedded Redis of an earlier run that does not answer');
    await killServer(pid, timing.stopGraceMs);
  }
  return adoptedPid === null ? null : adoptRedis(adoptedPid, timing.watchIntervalMs);
}

/** Retries while a server runs there: it may be starting or ending. */
async function pidThatAnswers({ paths, timing }: EmbeddedRedisSettings): Promise<number | null> {
  const { answerDeadlineMs } = timing;
  const deadline = performance.now() + answerDeadlineMs;
  let info = await readServerInfo(paths.socket, answerDeadlineMs);
  while (info === null && performance.now() < deadline && (await findRedisIn(paths.directory)).length > 0) {
    await pause(pollIntervalMs);
    info = await readServerInfo(paths.socket, answerDeadlineMs);
  }
  return info?.pid ?? null;
}

async function killServer(pid: number, deadlineMs: number): Promise<void> {
  signalServer(pid, 'SIGKILL');
  const limit = performance.now() + deadlineMs;
  while (await isRunning(pid)) {
    if (performance.now() > limit)
      throw new OperatorError(`the redis-server with the pid ${pid} does not end`);
    await pause(pollIntervalMs);
  }
}

/** The ids of the process groups of all servers with this working directory. Without /proc none is found. */
export async function findRedisIn(directory: string): Promise<number[]> {
  const pids = await listProcesses();
  const groups = await Promise.all(pids.map((pid) => serverGroupOf(pid, directory)));
  return [...new Set(groups.filter((group) => group !== null))];
}

async function serverGroupOf(pid: number, directory: string): Promise<number | null> {
  if ((await readWorkingDirectory(pid)) !== directory) return null;
  const stat = await readProcessStat(pid);
  if (stat === null || /[ZX]/.test(stat.state)) return null;
  return /^(redis|valkey)-server/.test(stat.name) ? stat.groupId : null;
}
