import { bounds } from '../../../src/contract/bounds.js';
import { timingSchema } from '../../../src/contract/timing.js';
import { markdownTable } from '../../support/markdown.js';
import { aimInWords, type Figure, isReached } from '../figures.js';
import { percentile } from '../report.js';
import type { MessagesResult } from './messages.js';
import type { RealResult } from './real.js';
import type { ScriptedResult } from './scripted.js';
import { spanOf } from './takeover.js';

/** A figure that is compared with its aim, and with nothing else. */
export type ScaleFigure = Pick<Figure, 'name' | 'ours' | 'aim'>;

const { lockDurationMs } = timingSchema.parse({});
/** Within this after the lock has expired, another supervisor must have claimed the session. */
const claimMs = 5_000;
const takeoverAim = (lastMs: number) => ({
  atMost: (lockDurationMs + claimMs) / 1_000,
  of: lastMs / 1_000,
  unit: ' s',
});

export function scriptedFigures(result: ScriptedResult): ScaleFigure[] {
  const { sessions, list, idle, redisBytes, supervisor, replicaConnections, killed, stopped } = result;
  const listP99 = percentile(list.ms, 0.99);
  const of = `of a supervisor with ${supervisor.sessions} sessions`;
  return [
    shown(`${sessions} sessions started by API calls, until all are ready`, `${seconds(result.startMs)} s`),
    {
      name: `GET /api/sessions, ${Math.min(sessions, 1_000)} sessions, ${list.ms.length} calls`,
      ours: `p50 ${ms(percentile(list.ms, 0.5))}, p99 ${ms(listP99)} (${kib(list.bytes)} KiB; ${ms(list.cpuMs)} of processor time)${list.refused > 0 ? `, ${list.refused} refused` : ''}`,
      aim: { atMost: 50, of: listP99, unit: ' ms' },
    },
    {
      name: 'commands sent to Redis, per idle session and second',
      ours: idle.commandsSent.toFixed(2),
      aim: { atMost: 1, of: idle.commandsSent },
    },
    shown(
      '… of these most often',
      idle.byName.map(([name, rate]) => `${name} ${rate.toFixed(2)}`).join(', '),
    ),
    shown(
      'commands run by Redis with those in scripts, per idle session and second',
      idle.commandsRun.toFixed(1),
    ),
    shown(
      'processor time of Redis, per idle session',
      `${idle.redisCpuMs.toFixed(3)} ms/s: ${percent((idle.redisCpuMs * sessions) / 1_000)} of a core for ${sessions}`,
    ),
    shown(
      'processor time of its supervisor, per idle session, without thread and browser',
      `${idle.supervisorCpuMs.toFixed(2)} ms/s`,
    ),
    {
      name: `connections to Redis ${of}`,
      ours: String(supervisor.connections),
      aim: { atMost: 3, of: supervisor.connections },
    },
    shown('connections to Redis of the replica', String(replicaConnections)),
    shown(
      `memory ${of} and scripted threads (PSS)`,
      `${mib(supervisor.pssKib * 1_024)} MiB, ${mib((supervisor.pssKib * 1_024) / supervisor.sessions)} per session`,
    ),
    shown(
      `open files, threads and child processes ${of}`,
      `${supervisor.openFiles}, ${supervisor.threads}, ${supervisor.children}`,
    ),
    shown(
      'memory of Redis, per session',
      `${kib(redisBytes.made)} KiB made, ${kib(redisBytes.running)} KiB running; its connections ${kib(redisBytes.connections)} KiB`,
    ),
    {
      name: `SIGKILL to a supervisor: its ${killed.sessions} sessions are claimed by others`,
      ours: spanOf(killed.claimedMs),
      aim: takeoverAim(killed.claimedMs.at(-1) ?? Number.NaN),
    },
    shown('… and ready again', spanOf(killed.readyMs)),
    shown(`… each of the ${killed.gained.length} others got`, rangeOf(killed.gained)),
    shown(
      `SIGTERM to a supervisor: its ${stopped.sessions} sessions are claimed by others`,
      spanOf(stopped.claimedMs),
    ),
    shown('… and ready again', spanOf(stopped.readyMs)),
    shown(`… each of the ${stopped.gained.length} others got`, rangeOf(stopped.gained)),
  ];
}

export function messageFigures({ send, event, eventBytes }: MessagesResult): ScaleFigure[] {
  const costs = ({ commandsSent, commandsRun, redisCpuMs }: MessagesResult['send']) =>
    `${commandsSent.toFixed(1)} sent, ${commandsRun.toFixed(0)} run with those in scripts, ${redisCpuMs.toFixed(2)} ms`;
  return [
    shown('commands of Redis and its processor time for a send', costs(send)),
    shown('the same for the event of an incoming message', costs(event)),
    shown(
      'memory of Redis for the event of a message of one line',
      `${Math.round(eventBytes)} bytes: ${mib(eventBytes * bounds.events)} MiB for ${bounds.events}`,
    ),
  ];
}

export function realFigures(result: RealResult): ScaleFigure[] {
  const { sessions, lost, claimedMs, readyMs, scannedAgain, redisBytesPerSession } = result;
  const { memoryBefore, memoryAfter, nodeBefore, nodeAfter } = result;
  const { cpuMsPerSession, processesPerSession, tasksPerSession } = result;
  return [
    // A start takes a permit, of which a supervisor has few: so the claims wait for one another.
    shown(`SIGKILL to a supervisor: its ${lost} sessions are claimed by the other`, spanOf(claimedMs)),
    shown('… and ready again', spanOf(readyMs)),
    {
      name: '… of these had to be scanned again',
      ours: String(scannedAgain),
      aim: { atMost: 0, of: scannedAgain },
    },
    shown(
      `memory of both supervisors with ${sessions} browsers (PSS)`,
      `${mib(memoryBefore)} MiB, ${mib(memoryBefore / sessions)} per session; without the browsers ${mib(nodeBefore)} MiB`,
    ),
    shown(
      `memory of the one that is left, with ${sessions} browsers (PSS)`,
      `${mib(memoryAfter)} MiB, ${mib(memoryAfter / sessions)} per session; without the browsers ${mib(nodeAfter)} MiB`,
    ),
    shown('processor time of an idle session, all its processes', `${cpuMsPerSession.toFixed(0)} ms/s`),
    shown(
      'processes and threads (tasks) of a session',
      `${processesPerSession.toFixed(1)}, ${tasksPerSession.toFixed(0)}`,
    ),
    shown(
      'memory of Redis per session, with two backups of a fresh login',
      `${kib(redisBytesPerSession)} KiB`,
    ),
  ];
}

export function scaleTable(figures: readonly ScaleFigure[]): string {
  const rows = figures.map((figure) => [figure.name, figure.ours, aimInWords({ ...figure, ratio: null })]);
  return markdownTable([['what', 'measured', 'aim'], ...rows]);
}

export function missedOf(figures: readonly ScaleFigure[]): number {
  return figures.filter((figure) => !isReached({ ...figure, ratio: null })).length;
}

function shown(name: string, ours: string): ScaleFigure {
  return { name, ours, aim: null };
}

function rangeOf(counts: readonly number[]): string {
  return `${Math.min(...counts)} to ${Math.max(...counts)}`;
}

function ms(value: number): string {
  return `${Math.round(value)} ms`;
}

function seconds(value: number): string {
  return Math.round(value / 1_000).toString();
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}

function kib(bytes: number): string {
  const value = bytes / 1_024;
  return value < 10 ? value.toFixed(1) : Math.round(value).toString();
}

function mib(bytes: number): string {
  const value = bytes / 1_048_576;
  return value < 10 ? value.toFixed(1) : Math.round(value).toString();
}
