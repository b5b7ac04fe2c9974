/** Lookups at WhatsApp's server that run at once; the server limits them. */
const concurrentMax = 8;

/** A slower lookup no longer counts, so that lookups that hang do not block the others. */
const slowMs = 500;

/** Limits how many recipients are looked up at once. */
export class LookupLimiter {
  readonly #isPaused: () => boolean;
  readonly #waiting: (() => void)[] = [];
  /** Running lookups that are not slow yet. */
  #counted = 0;

  /** While `isPaused`, lookups start only by {@link startOne}; call {@link startNext} when it may have ended. */
  constructor(isPaused: () => boolean) {
    this.#isPaused = isPaused;
  }

  /** Calls `lookUp` when there is room, and settles as it does. */
  async run<T>(lookUp: () => Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      this.startNext();
    });
    let isCounted = true;
    const makeRoom = () => {
      if (!isCounted) return;
      isCounted = false;
      this.#counted--;
      this.startNext();
    };
    const timer = setTimeout(makeRoom, slowMs);
    try {
      return await lookUp();
    } finally {
      clearTimeout(timer);
      makeRoom();
    }
  }

  /** Starts as many waiting lookups as there is room for. */
  startNext(): void {
    while (!this.#isPaused() && this.startOne());
  }

  /** Starts one if there is room, also while paused: nobody waits without end. False: none. */
  startOne(): boolean {
    if (this.#counted >= concurrentMax) return false;
    const start = this.#waiting.shift();
    if (start === undefined) return false;
    this.#counted++;
    start();
    return true;
  }
}
