/** Takes the lines of one file; `end` after the last. */
export interface Turn {
  line(line: string): void;
  end(last: string): void;
}

/**
 * For files that run beside each other: the lines of each stay together, and those of the oldest that still runs appear
 * at once, because a long one is watched.
 */
export class PrintInTurn {
  readonly #print: (line: string) => void;
  readonly #waiting: { readonly lines: string[]; hasEnded: boolean }[] = [];

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  begin(): Turn {
    const entry = { lines: [] as string[], hasEnded: false };
    this.#waiting.push(entry);
    return {
      line: (line) => {
        entry.lines.push(line);
        this.#flush();
      },
      end: (last) => {
        entry.lines.push(last);
        entry.hasEnded = true;
        this.#flush();
      },
    };
  }

  #flush(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      for (const line of first.lines.splice(0)) this.#print(line);
      if (!first.hasEnded) return;
      this.#waiting.shift();
    }
  }
}
