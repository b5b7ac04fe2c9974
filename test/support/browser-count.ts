import { isAlive } from './processes.js';
import type { Theatre } from './theatre.js';

/** Counts the browsers that live at the same time, from /proc, again and again. */
export class BrowserCount {
  /** The most that were seen at once. */
  most = 0;
  readonly #theatre: Theatre;
  readonly #dead = new Set<number>();
  readonly #timer: NodeJS.Timeout;

  constructor(theatre: Theatre, intervalMs = 25) {
    this.#theatre = theatre;
    this.#timer = setInterval(() => this.#look(), intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    let alive = 0;
    for (const pid of this.#theatre.browsersEver()) {
      if (this.#dead.has(pid)) continue;
      if (isAlive(pid)) alive++;
      else this.#dead.add(pid);
    }
    this.most = Math.max(this.most, alive);
  }
}
