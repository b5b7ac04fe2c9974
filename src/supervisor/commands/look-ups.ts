/** Questions to WhatsApp's server under way at once: it limits them. */
const atOnce = 8;

/** One that takes longer makes room for the next: a number that hangs shall hold up no other. */
const slowMs = 500;

/** Paces the questions who a recipient is. */
export class LookUps {
  readonly #isHeldUp: () => boolean;
  readonly #waiting: (() => void)[] = [];
  #fresh = 0;

  /** `isHeldUp`: enough is prepared, nothing more shall be asked until {@link next} is called. */
  constructor(isHeldUp: () => boolean) {
    this.#isHeldUp = isHeldUp;
  }

  /** Settles as `lookUp` does, which is called when its turn has come. */
  async run<T>(lookUp: () => Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      this.next();
    });
    let isFresh = true;
    const makeRoom = () => {
      if (!isFresh) return;
      isFresh = false;
      this.#fresh--;
      this.next();
    };
    const timer = setTimeout(makeRoom, slowMs);
    try {
      return await lookUp();
    } finally {
      clearTimeout(timer);
      makeRoom();
    }
  }

  next(): void {
    while (this.#fresh < atOnce && this.#waiting.length > 0 && !this.#isHeldUp()) {
      this.#fresh++;
      this.#waiting.shift()?.();
    }
  }
}
