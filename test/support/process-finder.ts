import { allPids, type ProcessFacts, processFacts } from './processes.js';

/** A process that has started a program keeps its command line. Between fork and exec it has that of its parent. */
const execWithinMs = 10_000;

/**
 * Finds living processes by their command line, often and cheaply: what was another program for some time is not read again.
 */
export class ProcessFinder {
  readonly #argument: string;
  /** When each of the others was seen first, by its pid. A pid that was gone may be another process now. */
  #others = new Map<number, number>();
  #askedAt = 0;

  constructor(argument: string) {
    this.#argument = argument;
  }

  find(): ProcessFacts[] {
    const now = performance.now();
    if (now - this.#askedAt > execWithinMs) this.#others.clear();
    this.#askedAt = now;
    const others = new Map<number, number>();
    const found: ProcessFacts[] = [];
    for (const pid of allPids()) {
      const since = this.#others.get(pid) ?? now;
      const process = now - since > execWithinMs ? null : processFacts(pid);
      if (process?.commandLine.includes(this.#argument) && process.state !== 'Z') found.push(process);
      else others.set(pid, since);
    }
    this.#others = others;
    return found;
  }
}
