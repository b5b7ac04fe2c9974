import { readdirSync, readFileSync } from 'node:fs';

/** Facts about processes, from /proc: `kill(pid, 0)` succeeds on a zombie and on a stranger with a used pid. */
export interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** R, S, D, T (stopped), Z (zombie) … */
  readonly state: string;
  readonly commandLine: readonly string[];
}

export function processFacts(pid: number): ProcessFacts | null {
  const stat = read(pid, 'stat');
  // The name stands in parentheses and may contain some itself.
  const [, state, parent, group] = /\) (\S) (\d+) (\d+) [^)]*$/.exec(stat) ?? [];
  if (state === undefined) return null;
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    state,
    // Read when it is asked for: most processes are looked at for less, and that many times a second.
    get commandLine() {
      return read(pid, 'cmdline').split('\0').slice(0, -1);
    },
  };
}

/** Exists and is not a zombie; a stopped process is alive. */
export function isAlive(pid: number): boolean {
  const state = processFacts(pid)?.state;
  return state !== undefined && state !== 'Z' && state !== 'X';
}

export function allProcesses(): ProcessFacts[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => processFacts(Number(name)) ?? []);
}

export function childrenOf(pid: number): ProcessFacts[] {
  return allProcesses().filter((process) => process.parent === pid);
}

/** The watchdogs of a supervisor's browsers; one that is dead has no command line. */
export function watchdogsOf(supervisor: number): ProcessFacts[] {
  return childrenOf(supervisor).filter(({ commandLine }) => commandLine.includes('holdline-watchdog'));
}

export function membersOfGroup(group: number): ProcessFacts[] {
  return allProcesses().filter((process) => process.group === group && process.state !== 'Z');
}

/** Living processes that inherited `NAME=value` from whoever started them. */
export function processesMarked(mark: string): ProcessFacts[] {
  return allProcesses().filter(
    ({ pid, state }) => state !== 'Z' && read(pid, 'environ').split('\0').includes(mark),
  );
}

export function signalIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}
