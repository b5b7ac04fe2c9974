import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { readTally } from './tally.js';

/** The result of one test file. */
export interface FileRun {
  readonly file: string;
  readonly name: string;
  readonly passed: number;
  /** At least 1 if the file itself failed: it timed out, was ended, or ended before its tests did. */
  readonly failed: number;
  /** Tests that passed or failed. */
  readonly ran: number;
  readonly skipped: number;
  readonly seconds: number;
  /** Why the file itself failed; null: it did not. */
  readonly problem: string | null;
  /** The output of its failed tests, or its last lines if there is none. Empty: it passed. */
  readonly complaint: string;
}

type Ending = Omit<FileRun, 'file' | 'name' | 'seconds'>;

export interface FileRunOptions {
  readonly timeoutMs: number;
  /** Ends the file at once. */
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
}

/** A process that does not end on SIGTERM, because a test handles the signal, is killed after this. */
const termGraceMs = 2_000;
const excerptLines = 60;
const summaryLine = /^ℹ (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

/** Runs one compiled test file in its own process, as `node --test` does. A file that cannot be run counts as failed. */
export async function runFile(file: string, options: FileRunOptions): Promise<FileRun> {
  const began = performance.now();
  const ending = await endingOf(file, options).catch((error: unknown): Ending => {
    const problem = `it could not be run: ${String(error)}`;
    return { passed: 0, failed: 1, ran: 0, skipped: 0, problem, complaint: '' };
  });
  return { file, name: nameOf(file), seconds: (performance.now() - began) / 1_000, ...ending };
}

async function endingOf(file: string, options: FileRunOptions): Promise<Ending> {
  const dir = await mkdtemp(join(tmpdir(), 'holdline-run-'));
  try {
    return await endingIn(dir, file, options);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function endingIn(dir: string, file: string, options: FileRunOptions): Promise<Ending> {
  const tallyFile = join(dir, 'tally');
  const reporters = [
    ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
    `--test-reporter=${pathToFileURL(join(import.meta.dirname, 'tally.js')).href}`,
    `--test-reporter-destination=${tallyFile}`,
  ];
  const child = spawn(process.execPath, [...process.execArgv, ...reporters, file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const ended = untilItEnds(child, options).catch((error: unknown) => String(error));
  readLines([child.stdout, child.stderr], (line) => {
    if (summaryLine.test(line)) return;
    lines.push(line);
    options.onLine(line);
  });
  const ending = await ended;

  const tally = readTally(await readFile(tallyFile, 'utf8').catch(() => ''));
  const problem = ending ?? (tally.isWhole ? null : 'it ended before its tests did');
  const failed = tally.failed || (problem === null ? 0 : 1);
  const { passed, ran, skipped } = tally;
  return { passed, failed, ran, skipped, problem, complaint: failed === 0 ? '' : complaintIn(lines) };
}

/** The source of a compiled file, as given to `npm test`. */
export function nameOf(file: string): string {
  const root = resolve(import.meta.dirname, '../..');
  return relative(root, resolve(file)).replace(/\.js$/, '.ts');
}

/** A stream is undefined if the process could not be started for lack of descriptors. */
function readLines(streams: readonly (Readable | undefined)[], onLine: (line: string) => void): void {
  for (const stream of streams) {
    if (stream === undefined) continue;
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', onLine);
  }
}

/** Resolves when the process has ended: to what was wrong, or null. */
async function untilItEnds(child: ChildProcess, options: FileRunOptions): Promise<string | null> {
  const { timeoutMs, signal } = options;
  const exited = once(child, 'exit') as Promise<[code: number | null, signal: NodeJS.Signals | null]>;
  const closed = once(child, 'close').catch(() => undefined);
  let endedBecause: string | null = null;
  let kill: NodeJS.Timeout | undefined;
  function end(why: string): void {
    if (endedBecause !== null) return;
    endedBecause = why;
    child.kill('SIGTERM');
    kill = setTimeout(() => child.kill('SIGKILL'), termGraceMs);
  }
  const timeUp = setTimeout(() => end(`it was ended after ${timeoutMs / 1_000} s`), timeoutMs);
  const endWithRun = () => end('it was ended with the run');
  signal.addEventListener('abort', endWithRun);
  if (signal.aborted) endWithRun();
  try {
    const [code, by] = await exited;
    // A process that it left behind may hold its output open.
    await Promise.race([closed, sleep(termGraceMs, undefined, { ref: false })]);
    if (endedBecause !== null) return endedBecause;
    if (by !== null) return `it was ended by ${by}`;
    return code === 0 ? null : `exit code ${code}`;
  } finally {
    clearTimeout(timeUp);
    clearTimeout(kill);
    signal.removeEventListener('abort', endWithRun);
    child.stdout?.destroy();
    child.stderr?.destroy();
  }
}

/** The spec reporter repeats all failures at its end. */
function complaintIn(lines: readonly string[]): string {
  const from = lines.lastIndexOf('✖ failing tests:');
  const excerpt = from === -1 ? lines.slice(-excerptLines) : lines.slice(from + 1);
  return excerpt.join('\n').trim();
}
