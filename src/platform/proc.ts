import { readdir, readFile, readlink, writeFile } from 'node:fs/promises';

/**
 * Processes of this machine: facts from /proc, and signals. Only Linux has /proc; elsewhere no process is found, and a read
 * gives null. Facts may be outdated when they arrive, and a pid may have been reused. See proc(5).
 */

export interface ProcessStat {
  /** The program's name, which the kernel cuts to 15 bytes. A title that the process sets for itself does not change it. */
  readonly name: string;
  /** One letter: `T` and `t` are stopped, `Z` and `X` have ended. */
  readonly state: string;
  readonly groupId: number;
}

export interface ProcessMemory {
  /** Proportional: memory that processes share is divided among them. If PSS cannot be read, only its own memory. */
  readonly pssBytes: number;
  readonly rssBytes: number;
}

export async function listProcesses(): Promise<number[]> {
  const names = await readdir('/proc').catch(() => []);
  return names.filter((name) => /^\d+$/.test(name)).map(Number);
}

export async function listGroup(groupId: number): Promise<number[]> {
  return (await listGroups()).get(groupId) ?? [];
}

/** So many files of /proc are open at a time. */
const readsAtOnce = 64;

/** The processes of each group, by its id. */
export async function listGroups(): Promise<Map<number, number[]>> {
  const pids = await listProcesses();
  const groups = new Map<number, number[]>();
  for (let i = 0; i < pids.length; i += readsAtOnce) {
    const some = pids.slice(i, i + readsAtOnce);
    const stats = await Promise.all(some.map(readProcessStat));
    some.forEach((pid, n) => {
      const groupId = stats[n]?.groupId;
      if (groupId !== undefined) groups.set(groupId, [...(groups.get(groupId) ?? []), pid]);
    });
  }
  return groups;
}

/** null: the process is gone. */
export async function readProcessStat(pid: number): Promise<ProcessStat | null> {
  const text = await readProcessFile(pid, 'stat');
  // `pid (name) state ppid pgrp …`: the name may hold anything, parentheses too.
  const [, name, state, group] = /^\d+ \((.*)\) (\S) \d+ (\d+) /s.exec(text) ?? [];
  return name === undefined || state === undefined ? null : { name, state, groupId: Number(group) };
}

/** Zeros if the process is gone. */
export async function readProcessMemory(pid: number): Promise<ProcessMemory> {
  // The maps of a sandboxed renderer cannot be read, not even by its own user.
  const [rollup, status] = await Promise.all([
    readProcessFile(pid, 'smaps_rollup'),
    readProcessFile(pid, 'status'),
  ]);
  return {
    pssBytes: sizeField('Pss', rollup) || sizeField('RssAnon', status),
    rssBytes: sizeField('VmRSS', status),
  };
}

/** The program and its arguments; null: the process is gone. */
export async function readCommandLine(pid: number): Promise<string[] | null> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => null);
  return text?.split('\0') ?? null;
}

/** Absolute, without symbolic links; null: the process is gone, or another user's. */
export function readWorkingDirectory(pid: number): Promise<string | null> {
  return readlink(`/proc/${pid}/cwd`).catch(() => null);
}

/** A zombie does not run. Another user's process does. */
export async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const stat = await readProcessStat(pid);
  return stat === null || !/[ZX]/.test(stat.state);
}

/** false: there is no such process, or it is another user's. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** false: none of the group is left, or it is another user's. */
export function signalGroup(groupId: number, signal: NodeJS.Signals): boolean {
  return signalProcess(-groupId, signal);
}

/** -1000 to 1000. When memory runs out, the kernel kills the process with the highest value first. */
export async function setOwnOomScore(adjustment: number): Promise<void> {
  await writeFile('/proc/self/oom_score_adj', String(adjustment)).catch(() => undefined);
}

function readProcessFile(pid: number, file: string): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '');
}

function sizeField(field: string, text: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1_024;
}
