import { programArguments } from '../support/program-arguments.js';

export interface BenchOptions {
  readonly rounds: number;
  /** Measures only what has this in its name; empty: everything. */
  readonly only: string;
  readonly long: boolean;
  readonly write: boolean;
}

/** Parses `[--rounds N] [--only WORD] [--long] [--write]`. Exits with 64 if they are invalid. */
export function benchOptions(): BenchOptions {
  const { values } = programArguments('npm run bench [-- --rounds N] [--only WORD] [--long] [--write]', {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    long: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 50) {
    process.stderr.write(`holdline: --rounds must be a number from 1 to 50, not '${values.rounds}'\n`);
    process.exit(64);
  }
  return { ...values, rounds };
}
