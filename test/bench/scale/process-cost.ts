import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { childrenOf, pssKib } from '../../support/processes.js';

/** Of USER_HZ: what /proc counts processor time in. */
const ticksPerSecond = 100;

/** What one process takes at this moment, without its children. */
export interface ProcessCost {
  readonly pssKib: number;
  readonly cpuSeconds: number;
  readonly openFiles: number;
  readonly threads: number;
  readonly children: number;
  /** Open connections to the port on this machine. */
  readonly connections: number;
}

export function costOf(pid: number, redisPort: number): ProcessCost {
  return {
    pssKib: pssKib(pid),
    cpuSeconds: cpuSecondsOf(pid),
    openFiles: readdirSync(`/proc/${pid}/fd`).length,
    threads: tasksOf(pid),
    children: childrenOf(pid).length,
    connections: connectionsTo(pid, redisPort),
  };
}

/** Its threads, the main one included. 0: it has ended. */
export function tasksOf(pid: number): number {
  return Number(/^Threads:\s+(\d+)/m.exec(read(pid, 'status'))?.[1] ?? 0);
}

/** 0: it has ended. */
export function cpuSecondsOf(pid: number): number {
  const fields = read(pid, 'stat')
    .replace(/^.*\) /, '')
    .split(' ');
  if (fields.length < 13) return 0;
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

function connectionsTo(pid: number, port: number): number {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const established = '01';
  const inodes = new Set(
    ['tcp', 'tcp6']
      .flatMap((table) => read(pid, `net/${table}`).trim().split('\n').slice(1))
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , to = '', state]) => to.endsWith(remote) && state === established)
      .map((columns) => `socket:[${columns[9]}]`),
  );
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => inodes.has(linkOf(`/proc/${pid}/fd/${fd}`))).length;
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}
