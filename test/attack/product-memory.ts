import { readFileSync } from 'node:fs';
import { childrenOf } from '../support/processes.js';

/** The most memory that the product's own processes had at once, without the browser; each shared page counts once. */
export class ProductMemory {
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  #mostMb = 0;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.#look(), 200);
    this.#look();
  }

  stop(): number {
    clearInterval(this.#timer);
    this.#look();
    return Math.round(this.#mostMb);
  }

  #look(): void {
    const nodes = childrenOf(this.#pid).filter(({ commandLine }) => /node$/.test(commandLine[0] ?? ''));
    const kib = [this.#pid, ...nodes.map(({ pid }) => pid)].map(pssKib);
    this.#mostMb = Math.max(this.#mostMb, kib.reduce((sum, each) => sum + each, 0) / 1024);
  }
}

function pssKib(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
