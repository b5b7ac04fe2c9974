import { PrintInTurn } from './print-in-turn.js';
import type { FileRun, FileRunOptions } from './run-file.js';
import { nameOf, runFile } from './run-file.js';

export type Settings = Pick<FileRunOptions, 'timeoutMs' | 'signal'> & {
  /** How many run at a time. One more runs beside them, of those that mostly wait. */
  readonly concurrency: number;
  readonly mostlyWaits: (file: string) => boolean;
  readonly print: (line: string) => void;
};

/** Runs the files in this order, but those that mostly wait after the others. After the signal it starts no more files. */
export async function runAll(files: readonly string[], settings: Settings): Promise<FileRun[]> {
  const { timeoutMs, signal, print } = settings;
  const output = new PrintInTurn(print);
  const waiting = files.filter((file) => settings.mostlyWaits(file));
  const working = files.filter((file) => !settings.mostlyWaits(file));
  const runs: FileRun[] = [];
  async function work(next: () => string | undefined): Promise<void> {
    for (let file = next(); file !== undefined && !signal.aborted; file = next()) {
      const turn = output.begin();
      turn.line(`▶ ${nameOf(file)}`);
      const run = await runFile(file, { timeoutMs, signal, onLine: turn.line });
      runs.push(run);
      turn.end(`${run.failed === 0 ? '◼' : '✖'} ${run.name}: ${outcome(run)}`);
    }
  }
  const lanes = Array.from({ length: settings.concurrency }, () =>
    work(() => working.shift() ?? waiting.shift()),
  );
  await Promise.all([...lanes, work(() => waiting.shift())]);
  return runs;
}

/** `12 passed, 1 failed, 2 skipped in 3.4 s: exit code 1`. */
export function outcome({ passed, failed, skipped, seconds, problem }: FileRun): string {
  const why = problem === null ? '' : `: ${problem}`;
  const leftOut = skipped === 0 ? '' : `, ${skipped} skipped`;
  return `${passed} passed, ${failed} failed${leftOut} in ${seconds.toFixed(1)} s${why}`;
}
