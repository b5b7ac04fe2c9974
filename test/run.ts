import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { byDuration, mostlyWaits } from './runner/order.js';
import { isQuick } from './runner/quick.js';
import { describeFlaky, type Flaky, runAgain } from './runner/run-again.js';
import { outcome, runAll } from './runner/run-all.js';
import { type FileRun, nameOf } from './runner/run-file.js';

/**
 * run.js [OPTION...] FILE...: runs compiled test files, the longest first, each in its own process. A file that failed is
 * run once more, alone. The output ends with the lines "skipped: N" (if tests were skipped), "flaky: N NAME..." and
 * "N passed, N failed". Exit code: 0 if none failed, 64 for an invalid option, otherwise 1.
 *
 *   --quick            run only the quick ones of these files; those that only need data share one Redis
 *   --file-timeout S   end a file after this
 *   --seconds-left S   run a file once more only if it ends within this
 *   --results DIR      directory for flaky.txt, written if a file was flaky: what failed, and both outcomes
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    'file-timeout': { type: 'string', default: '600' },
    'seconds-left': { type: 'string', default: 'Infinity' },
    results: { type: 'string', default: 'test-results' },
  },
});

const fileTimeoutMs = secondsIn('file-timeout') * 1_000;
const deadline = performance.now() + secondsIn('seconds-left') * 1_000;

/** More than the processors, because most tests mostly wait: for locks to lapse, for browsers. */
const concurrency = values.quick ? 4 : 3;

const end = new AbortController();
// From a terminal, or under `timeout npm test`, the signal arrives twice: once to the whole group, once from npm.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => end.abort());

async function main(): Promise<void> {
  const flakyFile = join(values.results, 'flaky.txt');
  await rm(flakyFile, { force: true });
  const settings = {
    timeoutMs: fileTimeoutMs,
    signal: end.signal,
    concurrency,
    mostlyWaits: (file: string) => mostlyWaits(nameOf(file)),
    print: (line: string) => void process.stdout.write(`${line}\n`),
  };
  const files = values.quick ? positionals.filter((file) => isQuick(nameOf(file))) : positionals;
  if (files.length === 0) throw new Error('none of these test files is a quick one');
  const inOrder = [...files].sort((a, b) => byDuration(nameOf(a), nameOf(b)));
  const { last, flaky } = await runAgain(await runAll(inOrder, settings), { ...settings, deadline });
  if (flaky.length > 0) {
    await mkdir(values.results, { recursive: true });
    await writeFile(flakyFile, describeFlaky(flaky));
  }
  report(last, flaky);
}

function report(last: readonly FileRun[], flaky: readonly Flaky[]): void {
  const failed = last.filter((run) => run.failed > 0);
  if (flaky.length > 0) console.log(`\nflaky, passed when run once more:\n\n${describeFlaky(flaky)}`);
  for (const run of failed) console.log(`\n✖ ${run.name}: ${outcome(run)}\n\n${run.complaint}`);
  const skipped = sum(last.map((run) => run.skipped));
  if (skipped > 0) console.log(`skipped: ${skipped}`);
  console.log(['flaky:', flaky.length, ...flaky.map(({ first }) => first.name)].join(' '));
  total(sum(last.map((run) => run.passed)), sum(last.map((run) => run.failed)));
}

function secondsIn(option: 'file-timeout' | 'seconds-left'): number {
  const text = values[option];
  const seconds = Number(text);
  if (text.trim() !== '' && !Number.isNaN(seconds)) return seconds;
  process.stderr.write(`holdline: --${option} must be a number of seconds, not '${text}'\n`);
  process.exit(64);
}

/** Prints the last line and sets the exit code. An aborted run always counts as failed. */
function total(passed: number, failed: number): void {
  const all = end.signal.aborted ? Math.max(failed, 1) : failed;
  console.log(`${passed} passed, ${all} failed`);
  process.exitCode = all === 0 ? 0 : 1;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

/** In a quick run, starts a Redis for all files and stops it after the work. */
async function withSharedRedis(work: () => Promise<void>): Promise<void> {
  if (!values.quick) return work();
  const { sharedRedisVariable, startSharedRedis } = await import('./support/shared-redis.js');
  const server = await startSharedRedis();
  process.env[sharedRedisVariable] = server.url;
  try {
    await work();
  } finally {
    await server.stop();
  }
}

try {
  await withSharedRedis(main);
} catch (error) {
  console.error(error);
  total(0, 1);
}
