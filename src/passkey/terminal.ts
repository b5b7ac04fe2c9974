import { createInterface } from 'node:readline/promises';

/** How the program talks to the owner. */
export interface Terminal {
  say(line: string): void;
  /** A question that is answered with yes or no; the end of the input is a no. null: nobody is there to answer. Rejects when the signal aborts. */
  readonly ask: ((question: string, signal: AbortSignal) => Promise<boolean>) | null;
}

export function ownTerminal(): Terminal {
  return {
    say: (line) => void process.stderr.write(`holdline: ${line}\n`),
    ask: process.stdin.isTTY && process.stderr.isTTY ? ask : null,
  };
}

async function ask(question: string, signal: AbortSignal): Promise<boolean> {
  // Not `terminal`: it would take Ctrl-C away from the process.
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  const ended = new AbortController();
  lines.once('close', () => ended.abort());
  try {
    const reply = lines.question(`${question} [y/N] `, { signal: AbortSignal.any([signal, ended.signal]) });
    return /^\s*y(es)?\s*$/i.test(await reply);
  } catch (error) {
    if (ended.signal.aborted && !signal.aborted) return false;
    throw error;
  } finally {
    lines.close();
  }
}
