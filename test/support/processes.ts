import { closeSync, openSync, readdirSync, readSync } from 'node:fs';

/**
 * What /proc says about a process. `kill(pid, 0)` would not do: it also succeeds on a zombie, and on another process
 * that got the same pid later.
 */
export interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** R, S, D, T (stopped), Z (zombie) … */
  readonly state: string;
  /** Clock ticks since the machine's start. With the pid it identifies a process: pids are reused. */
  readonly startedAt: string;
  readonly commandLine: readonly string[];
  /** Entries `NAME=value`. */
  readonly environment: readonly string[];
}

export function processFacts(pid: number): ProcessFacts | null {
  const stat = read(pid, 'stat');
  // The name is in parentheses and may itself contain some. The start time is the 22nd field.
  const [, state, parent, group, startedAt = ''] =
    /\) (\S) (\d+) (\d+) (?:\S+ ){16}(\d+) [^)]*$/.exec(stat) ?? [];
  if (state === undefined) return null;
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    state,
    startedAt,
    // Read on demand: most callers need neither, and some list all processes many times a second.
    get commandLine() {
      // A process that overwrites its title may leave no NUL at the end, or many.
      const words = read(pid, 'cmdline').replace(/\0+$/, '');
      return words === '' ? [] : words.split('\0');
    },
    get environment() {
      return read(pid, 'environ').split('\0');
    },
  };
}

/** Exists and is not a zombie; a stopped process is alive. */
export function isAlive(pid: number): boolean {
  const state = processFacts(pid)?.state;
  return state !== undefined && state !== 'Z' && state !== 'X';
}

export function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

export function allProcesses(): ProcessFacts[] {
  return allPids().flatMap((pid) => processFacts(pid) ?? []);
}

export function childrenOf(pid: number): ProcessFacts[] {
  return allProcesses().filter((process) => process.parent === pid);
}

/** Those of these processes that still exist, with all their descendants. */
export function withDescendants(pids: readonly number[]): ProcessFacts[] {
  const all = allProcesses();
  const found = new Set(pids);
  for (let size = 0; size !== found.size; ) {
    size = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  return all.filter(({ pid }) => found.has(pid));
}

/** Living watchdogs of a supervisor's browsers. A dead one has no command line. */
export function watchdogsOf(supervisor: number): ProcessFacts[] {
  return childrenOf(supervisor).filter(({ commandLine }) => commandLine.includes('holdline-watchdog'));
}

export function membersOfGroup(group: number): ProcessFacts[] {
  return allProcesses().filter((process) => process.group === group && process.state !== 'Z');
}

/** Living processes with `NAME=value` in the environment that they inherited. */
export function processesMarked(mark: string): ProcessFacts[] {
  return allProcesses().filter(({ state, environment }) => state !== 'Z' && environment.includes(mark));
}

/** Proportional set size, KiB: a page that several processes share counts once in total. 0: the process has ended. */
export function pssKib(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB$/m.exec(read(pid, 'smaps_rollup'))?.[1] ?? 0);
}

export function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended already.
  }
}

/** Shared by all reads: some tests read a file of every process several times a second. `readFileSync` allocates one each time. */
const buffer = Buffer.alloc(64 * 1024);

/** Empty: the process has ended, or may not be read. */
function read(pid: number, file: string): string {
  let descriptor: number | null = null;
  let text = '';
  try {
    descriptor = openSync(`/proc/${pid}/${file}`, 'r');
    for (let length = -1; length !== 0; text += buffer.toString('latin1', 0, length)) {
      length = readSync(descriptor, buffer);
    }
    return text;
  } catch {
    return '';
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}
