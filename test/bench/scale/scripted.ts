import { setTimeout as lasting } from 'node:timers/promises';
import { childrenOf, pssKib } from '../../support/processes.js';
import { type FleetOptions, LightFleet, type LightSupervisor, type TimedAnswer } from './light-fleet.js';
import { costOf, cpuSecondsOf, type ProcessCost } from './process-cost.js';
import { readCounters, readMemory, sumOf, watchCommands } from './redis-load.js';
import { type Takeover, takeover } from './takeover.js';

export interface ScriptedOptions extends FleetOptions {
  /** How long the idle deployment is watched. */
  readonly idleSeconds: number;
  /** Between the last start and the first measurement. */
  readonly settleSeconds: number;
  readonly listCalls: number;
  /** How long starting all sessions, or taking over those of one supervisor, may take. */
  readonly timeoutMs: number;
  readonly log: (line: string) => void;
}

export interface ScriptedResult {
  readonly sessions: number;
  readonly supervisors: number;
  readonly startMs: number;
  /** `cpuMs`: processor time of the replica for one call. `refused`: calls that were not answered with the list. */
  readonly list: {
    readonly ms: readonly number[];
    readonly bytes: number;
    readonly cpuMs: number;
    readonly refused: number;
  };
  /** Of one session that does nothing, per second. */
  readonly idle: {
    readonly commandsSent: number;
    /** Those within scripts included. */
    readonly commandsRun: number;
    readonly redisCpuMs: number;
    readonly supervisorCpuMs: number;
    /** The commands that are sent most, by name. */
    readonly byName: readonly (readonly [string, number])[];
  };
  /** Bytes per session. */
  readonly redisBytes: {
    readonly made: number;
    readonly running: number;
    readonly connections: number;
  };
  /** The supervisor with the most sessions. */
  readonly supervisor: ProcessCost & { readonly sessions: number; readonly childrenPssKib: number };
  readonly replicaConnections: number;
  readonly killed: Takeover;
  readonly stopped: Takeover;
}

const monitorMs = 5_000;

/** Starts a deployment of light sessions, measures it idle, and then ends two of its supervisors. */
export async function measureScripted(options: ScriptedOptions): Promise<ScriptedResult> {
  const { sessions, supervisors, settleSeconds, timeoutMs, log } = options;
  log(`starting ${supervisors} supervisors`);
  const fleet = await LightFleet.open(options);
  try {
    const empty = await readMemory(fleet.client);
    log(`starting ${sessions} sessions`);
    await fleet.makeAll();
    const made = await readMemory(fleet.client);
    const startedAt = performance.now();
    await fleet.startAll();
    await fleet.untilAllReady(timeoutMs);
    const startMs = performance.now() - startedAt;
    log(`all are ready after ${Math.round(startMs / 1_000)} s`);
    await lasting(settleSeconds * 1_000);
    const idle = await measureIdle(fleet, options);
    const running = await readMemory(fleet.client);
    const redisBytes = {
      made: (made.data - empty.data) / sessions,
      running: (running.data - empty.data) / sessions,
      connections: (running.connections - empty.connections) / sessions,
    };
    const supervisor = await costOfFullest(fleet);
    const list = await timeLists(fleet, options.listCalls);
    const read = await fleet.timedGet(`/api/sessions/${fleet.sessions[0]}/chats`);
    if (read.status !== 200) throw new Error(`a session does not answer: ${read.status} ${read.text}`);
    const replicaConnections = costOf(fleet.http.pid, fleet.redis.port).connections;
    const killed = await endOne(fleet, 'SIGKILL', options);
    const stopped = await endOne(fleet, 'SIGTERM', options);
    const facts = { sessions, supervisors, startMs, list, idle, redisBytes };
    return { ...facts, supervisor, replicaConnections, killed, stopped };
  } finally {
    await fleet.close();
  }
}

async function measureIdle(
  fleet: LightFleet,
  { idleSeconds, log }: ScriptedOptions,
): Promise<ScriptedResult['idle']> {
  log(`idle for ${idleSeconds} s`);
  const count = fleet.sessions.length;
  const cpuOfAll = () => fleet.supervisors.reduce((sum, { pid }) => sum + cpuSecondsOf(pid), 0);
  const [before, cpuBefore] = [await readCounters(fleet.client), cpuOfAll()];
  await lasting(idleSeconds * 1_000);
  const [now, cpuNow] = [await readCounters(fleet.client), cpuOfAll()];
  const seconds = (now.atMs - before.atMs) / 1_000;
  const perSession = (amount: number) => amount / seconds / count;

  const watch = await watchCommands(fleet.redis.port);
  const watchedFrom = performance.now();
  await lasting(Math.min(monitorMs, idleSeconds * 1_000));
  const watchedS = (performance.now() - watchedFrom) / 1_000;
  const sent = await watch.stop();
  const rates = [...sent].map(([name, times]) => [name, times / watchedS / count] as const);
  return {
    commandsSent: sumOf(rates.map(([, rate]) => rate)),
    commandsRun: perSession(now.commands - before.commands),
    redisCpuMs: perSession((now.cpuSeconds - before.cpuSeconds) * 1_000),
    supervisorCpuMs: perSession((cpuNow - cpuBefore) * 1_000),
    byName: rates.sort(([, a], [, b]) => b - a).slice(0, 5),
  };
}

async function costOfFullest(fleet: LightFleet): Promise<ScriptedResult['supervisor']> {
  const { supervisor, sessions } = await fullest(fleet);
  const childrenPssKib = childrenOf(supervisor.pid).reduce((sum, { pid }) => sum + pssKib(pid), 0);
  return { ...costOf(supervisor.pid, fleet.redis.port), sessions, childrenPssKib };
}

async function timeLists(fleet: LightFleet, calls: number): Promise<ScriptedResult['list']> {
  const limit = Math.min(1_000, fleet.sessions.length);
  const path = `/api/sessions?limit=${limit}`;
  // The replica compiles its code with the first calls.
  for (let n = 0; n < Math.min(20, calls); n++) await fleet.timedGet(path);
  const cpuBefore = cpuSecondsOf(fleet.http.pid);
  const answers: TimedAnswer[] = [];
  for (let n = 0; n < calls; n++) answers.push(await fleet.timedGet(path));
  const cpuMs = ((cpuSecondsOf(fleet.http.pid) - cpuBefore) * 1_000) / calls;
  const lists = answers.filter(({ status }) => status === 200);
  const isWhole = ({ text }: TimedAnswer) => (JSON.parse(text) as { count: number }).count === limit;
  if (!lists.every(isWhole)) throw new Error(`${path} did not list ${limit} sessions`);
  const bytes = lists[0]?.bytes ?? 0;
  return { ms: answers.map(({ ms }) => ms), bytes, cpuMs, refused: answers.length - lists.length };
}

/** Ends the fullest supervisor, and waits until all sessions are ready again. */
async function endOne(
  fleet: LightFleet,
  signal: 'SIGKILL' | 'SIGTERM',
  { timeoutMs, log }: ScriptedOptions,
): Promise<Takeover> {
  const { supervisor, sessions } = await fullest(fleet);
  log(`${signal} to a supervisor with ${sessions} sessions`);
  const result = await takeover(fleet, supervisor, signal, timeoutMs);
  await fleet.untilAllReady(timeoutMs);
  return result;
}

async function fullest(fleet: LightFleet): Promise<{ supervisor: LightSupervisor; sessions: number }> {
  const owners = [...(await fleet.statuses()).values()].map(({ supervisor }) => supervisor);
  const counted = fleet.supervisors.map((supervisor) => ({
    supervisor,
    sessions: owners.filter((owner) => owner === supervisor.id).length,
  }));
  const [most] = counted.sort((a, b) => b.sessions - a.sessions);
  if (most === undefined) throw new Error('no supervisor is left');
  return most;
}
