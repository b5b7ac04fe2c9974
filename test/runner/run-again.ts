import { outcome, runAll, type Settings } from './run-all.js';
import type { FileRun } from './run-file.js';

/** A test file that failed and then passed when it ran once more, alone. */
export interface Flaky {
  readonly first: FileRun;
  readonly second: FileRun;
}

/** If more files than this fail, it is not chance, and none is run once more. */
const mostAgain = 5;

export interface AgainSettings extends Settings {
  /** When the run must be over, in the time of `performance.now()`. */
  readonly deadline: number;
}

/**
 * Runs each failed file once more, alone. A file that then passes had failed because of other files or by chance. It is
 * reported as flaky and does not fail the run.
 *
 * @returns the last run of each file, and those that are flaky
 */
export async function runAgain(
  runs: readonly FileRun[],
  settings: AgainSettings,
): Promise<{ readonly last: FileRun[]; readonly flaky: Flaky[] }> {
  const last = [...runs];
  const flaky: Flaky[] = [];
  const failed = runs.filter((run) => run.failed > 0);
  if (failed.length > mostAgain) {
    settings.print(`${failed.length} test files failed: more than ${mostAgain} are not run once more`);
    return { last, flaky };
  }
  for (const first of failed) {
    if (settings.signal.aborted) break;
    const leftMs = Math.floor(settings.deadline - performance.now());
    if (leftMs < first.seconds * 1_000) {
      const [took, left] = [first.seconds.toFixed(1), (Math.max(leftMs, 0) / 1_000).toFixed(1)];
      settings.print(
        `no time is left to run ${first.name} once more: it took ${took} s, and ${left} s are left`,
      );
      continue;
    }
    settings.print(`${first.name} failed, and is run once more, alone`);
    const timeoutMs = Math.min(settings.timeoutMs, leftMs);
    const [again] = await runAll([first.file], { ...settings, timeoutMs, concurrency: 1 });
    if (again === undefined) break;
    const second = failedIfShorter(again, first);
    last[runs.indexOf(first)] = second;
    if (second.failed === 0) flaky.push({ first, second });
  }
  return { last, flaky };
}

/** A second run with fewer tests counts as failed: skipped tests have not passed. */
function failedIfShorter(second: FileRun, first: FileRun): FileRun {
  if (second.failed > 0 || second.ran >= first.ran) return second;
  const problem = `once more, alone, it ran ${second.ran} tests of ${first.ran}`;
  return { ...second, failed: 1, problem, complaint: first.complaint };
}

/** The text of flaky.txt. */
export function describeFlaky(flaky: readonly Flaky[]): string {
  return flaky
    .map(({ first, second }) =>
      [
        first.name,
        `first: ${outcome(first)}`,
        `once more, alone: ${outcome(second)}`,
        ...first.complaint.split('\n').map((line) => `  ${line}`.trimEnd()),
        '',
      ].join('\n'),
    )
    .join('\n');
}
