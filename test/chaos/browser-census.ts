import { readFileSync } from 'node:fs';
import { allProcesses, processFacts } from '../support/processes.js';

/** Every browser that a supervisor started, seen from /proc often and cheaply: supervisors' children and those known. */
export class BrowserCensus {
  /** The most that lived at once, and when: ms, monotonic. */
  most = 0;
  mostAt = 0;
  readonly #supervisors: () => number[];
  readonly #known = new Set<number>();
  readonly #timer: NodeJS.Timeout;

  constructor(supervisors: () => number[], intervalMs = 40) {
    this.#supervisors = supervisors;
    this.#timer = setInterval(() => this.#look(), intervalMs);
  }

  /** Not yet buried ones do not count: they cannot act. */
  alive(): number[] {
    for (const supervisor of this.#supervisors()) {
      for (const child of childrenOf(supervisor)) {
        if (!this.#known.has(child) && isBrowser(child)) this.#known.add(child);
      }
    }
    for (const pid of this.#known) if (!isBrowser(pid)) this.#known.delete(pid);
    return [...this.#known];
  }

  renderers(): number[] {
    const groups = this.alive();
    return allProcesses()
      .filter(({ group, commandLine }) => groups.includes(group) && commandLine.includes('--type=renderer'))
      .map(({ pid }) => pid);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
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

/** Chromium proper: its helpers say `--type=`, or have it for a parent. */
function isBrowser(pid: number): boolean {
  const facts = processFacts(pid);
  if (facts === null || facts.state === 'Z' || facts.state === 'X') return false;
  return (
    facts.commandLine.includes('--remote-debugging-pipe') &&
    !facts.commandLine.some((argument) => argument.startsWith('--type='))
  );
}
