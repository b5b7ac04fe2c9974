import { messageOf } from '../contract/errors.js';

/** One line of an examination. */
export interface Finding {
  readonly check: string;
  readonly level: 'ok' | 'warning' | 'failure';
  /** What was found, and where it is not well the way out. */
  readonly message: string;
}

/** One thing to look at; what it throws is a failure, and its message the line. */
export interface Check {
  readonly name: string;
  run(): Promise<Verdict | readonly Verdict[]>;
}

export type Verdict = Omit<Finding, 'check'>;

export const ok = (message: string): Verdict => ({ level: 'ok', message });
export const warning = (message: string): Verdict => ({ level: 'warning', message });
export const failure = (message: string): Verdict => ({ level: 'failure', message });

/** All at once; the findings in the order of the checks. */
export async function examine(checks: readonly Check[]): Promise<Finding[]> {
  const found = await Promise.all(
    checks.map(async ({ name, run }) => {
      const verdicts = await run().catch((error: unknown) => failure(messageOf(error)));
      return [verdicts].flat().map((verdict) => ({ check: name, ...verdict }));
    }),
  );
  return found.flat();
}
