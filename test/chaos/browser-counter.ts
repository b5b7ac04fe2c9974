import { readFileSync } from 'node:fs';
import { allProcesses, processFacts } from '../support/processes.js';

/** Counts browsers that supervisors started, often and cheaply: it reads only the supervisors' children and known browsers. */
export class BrowserCounter {
  /** The most that lived at once, and when; ms, monotonic. */
  most = 0;
  mostAt = 0;
  readonly #supervisors: () => number[];
  readonly #known = new Set<number>();
  readonly #timer: NodeJS.Timeout;

  constructor(supervisors: () => number[], intervalMs = 40) {
    this.#supervisors = supervisors;
    this.#timer = setInterval(() => this.#count(), intervalMs);
  }

  /** Pids of living browsers. Zombies do not count: they cannot act. */
  alive(): number[] {
    for (const supervisor of this.#supervisors()) {
      for (const child of childrenOf(supervisor)) {
        if (!this.#known.has(child) && isBrowser(child)) this.#known.add(child);
      }
    }
    for (const pid of this.#known) if (!isBrowser(pid)) this.#known.delete(pid);
    return [...this.#known];
  }

  /** Chromium writes the whole command line of a renderer into one word. */
  renderers(): number[] {
    const groups = this.alive();
    return allProcesses()
      .filter(({ group, commandLine }) => groups.includes(group) && isRenderer(commandLine))
      .map(({ pid }) => pid);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #count(): void {
    const { length } = this.alive();
    if (length <= this.most) return;
    this.most = length;
    this.mostAt = performance.now();
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number);
  } catch {
    return [];
  }
}

/** Whether this is Chromium's main process. Its helpers have an argument `--type=`. */
function isBrowser(pid: number): boolean {
  const facts = processFacts(pid);
  if (facts === null || facts.state === 'Z' || facts.state === 'X') return false;
  return (
    facts.commandLine.includes('--remote-debugging-pipe') &&
    !facts.commandLine.some((argument) => argument.startsWith('--type='))
  );
}

function isRenderer(commandLine: readonly string[]): boolean {
  return commandLine.some((word) => word.split(' ').includes('--type=renderer'));
}
