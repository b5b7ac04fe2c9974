import { childrenOf, pssKib } from '../support/processes.js';

/** The most memory that the product's own processes used at once, without the browser. Each shared page counts once. */
export class ProductMemory {
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  #mostMb = 0;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.#measure(), 200);
    this.#measure();
  }

  stop(): number {
    clearInterval(this.#timer);
    this.#measure();
    return Math.round(this.#mostMb);
  }

  #measure(): void {
    const nodes = childrenOf(this.#pid).filter(({ commandLine }) => /node$/.test(commandLine[0] ?? ''));
    const kib = [this.#pid, ...nodes.map(({ pid }) => pid)].map(pssKib);
    this.#mostMb = Math.max(this.#mostMb, kib.reduce((sum, each) => sum + each, 0) / 1024);
  }
}
