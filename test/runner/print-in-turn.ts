/** Takes the lines of one file. Call `end` with the last one. */
export interface Turn {
  line(line: string): void;
  end(last: string): void;
}

/**
 * Prints the output of files that run at the same time. The lines of each file stay together. Those of the file that has
 * run longest are printed at once, so that a person can watch a long one.
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
