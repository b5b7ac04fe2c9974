import { readFileSync } from 'node:fs';
import { allProcesses, processFacts } from '../support/processes.js';

/** Counts browsers that supervisors started, often and cheaply: it reads only the supervisors' children and known browsers. */
export class BrowserCounter {
  /** The most that lived at once, by session. */
  readonly most = new Map<string, number>();
  readonly #supervisors: () => number[];
  /** The session of each, by pid. */
  readonly #known = new Map<number, string>();
  readonly #timer: NodeJS.Timeout;

  constructor(supervisors: () => number[], intervalMs = 40) {
    this.#supervisors = supervisors;
    this.#timer = setInterval(() => this.#count(), intervalMs);
  }

  /** Pids of living browsers, of one session or of all. Zombies do not count: they cannot act. */
  alive(session?: string): number[] {
    for (const supervisor of this.#supervisors()) {
      for (const child of childrenOf(supervisor)) {
        const found = this.#known.has(child) ? null : sessionOfBrowser(child);
        if (found !== null) this.#known.set(child, found);
      }
    }
    for (const pid of this.#known.keys()) if (sessionOfBrowser(pid) === null) this.#known.delete(pid);
    return [...this.#known].filter(([, its]) => session === undefined || its === session).map(([pid]) => pid);
  }

  /** Chromium writes the whole command line of a renderer into one word. */
  renderers(session: string): number[] {
    const groups = this.alive(session);
    return allProcesses()
      .filter(({ group, commandLine }) => groups.includes(group) && isRenderer(commandLine))
      .map(({ pid }) => pid);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #count(): void {
    this.alive();
    const now = new Map<string, number>();
    for (const session of this.#known.values()) now.set(session, (now.get(session) ?? 0) + 1);
    for (const [session, count] of now) this.most.set(session, Math.max(count, this.most.get(session) ?? 0));
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

/** The session whose browser this is; null: it is not Chromium's main process. Its helpers have an argument `--type=`. */
function sessionOfBrowser(pid: number): string | null {
  const facts = processFacts(pid);
  if (facts === null || facts.state === 'Z' || facts.state === 'X') return null;
  const isMain =
    facts.commandLine.includes('--remote-debugging-pipe') &&
    !facts.commandLine.some((argument) => argument.startsWith('--type='));
  const profile = facts.commandLine.find((argument) => argument.startsWith('--user-data-dir='));
  return isMain ? (/\/session-([a-z0-9-]+)$/.exec(profile ?? '')?.[1] ?? null) : null;
}

function isRenderer(commandLine: readonly string[]): boolean {
  return commandLine.some((word) => word.split(' ').includes('--type=renderer'));
}
