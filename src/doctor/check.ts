import { messageOf } from '../contract/errors.js';

/** One line of the doctor's report. */
export interface Finding {
  readonly check: string;
  readonly level: 'ok' | 'warning' | 'failure';
  /** What was found; for a warning or failure also what to do. */
  readonly message: string;
}

/** If `run` rejects, the finding is a failure with the message of the error. */
export interface Check {
  readonly name: string;
  run(): Promise<Verdict | readonly Verdict[]>;
}

export type Verdict = Omit<Finding, 'check'>;

export const ok = (message: string): Verdict => ({ level: 'ok', message });
export const warning = (message: string): Verdict => ({ level: 'warning', message });
export const failure = (message: string): Verdict => ({ level: 'failure', message });

/** Runs all checks at once. The findings are in the order of the checks. */
export async function runChecks(checks: readonly Check[]): Promise<Finding[]> {
  const found = await Promise.all(
    checks.map(async ({ name, run }) => {
      const verdicts = await run().catch((error: unknown) => failure(messageOf(error)));
      return [verdicts].flat().map((verdict) => ({ check: name, ...verdict }));
    }),
  );
  return found.flat();
}
