import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { messageOf, OperatorError } from '../contract/errors.js';

/**
 * What the watchdog process runs. It kills the process group `$2` when its stdin was silent for `$1` seconds (`$3` the
 * first time), or when its stdin closes.
 *
 * The trap and `detached` keep it alive when the supervisor's terminal or process group ends. The bash of macOS (3.2)
 * knows whole seconds only: there it kills up to a second early, never late.
 */
const script = `trap "" TERM INT HUP
patience=$1 first=$3
if ! echo | read -r -t 9.9 _; then patience=\${1%.*} first=\${3%.*}; fi
while [ "$first" != 0 ] && read -r -t "$first" _; do first=$patience; done
kill -KILL -- "-$2"`;

/** Without these bash would run ~/.bashrc (where stdin is a socket) and the file named in BASH_ENV. */
const bashArguments = ['--norc', '-p', '-c'];

/** Throws an {@link OperatorError} if no watchdog can be started: no browser may run without one. */
export async function requireWatchdog(): Promise<void> {
  await promisify(execFile)('bash', [...bashArguments, ':']).catch((error) => {
    throw new OperatorError(failureSentence('the browser', error));
  });
}

/** What a watchdog watches. */
type Watched = 'the browser' | 'the HTTP process';

/**
 * A process of 3 MB beside each browser and beside the HTTP process. It kills the process group that it watches after a
 * silence: the lease of the browser was not renewed, or the HTTP process gave no sign of life. It covers what the supervisor
 * cannot do itself when it is frozen, blocked or killed (docs/decisions/0002).
 */
export class ProcessWatchdog {
  readonly #what: Watched;
  readonly #groupId: number;
  readonly #timeoutMs: number;
  readonly #ageMs: () => number;
  readonly #onFailed: (why: string) => void;
  #process: ChildProcess;
  #isEnded = false;

  /**
   * `timeoutMs`: silence that kills the group. `ageMs`: how long the first silence has already lasted; for a browser, how
   * long ago its lease was renewed. `onFailed`: the watchdog cannot run, for the reason given; the caller must end the group.
   */
  constructor(
    what: Watched,
    groupId: number,
    timeoutMs: number,
    ageMs: () => number,
    onFailed: (why: string) => void,
  ) {
    this.#what = what;
    this.#groupId = groupId;
    this.#timeoutMs = timeoutMs;
    this.#ageMs = ageMs;
    this.#onFailed = onFailed;
    this.#process = this.#start();
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Call it at each renewal of the lease, or sign of life: the silence starts again from zero. */
  beat(): void {
    this.#process.stdin?.write('\n');
  }

  /** Ends the watchdog without a kill. Call it only after the watched process has exited. */
  end(): void {
    this.#isEnded = true;
    this.#process.kill('SIGKILL');
  }

  #start(): ChildProcess {
    const firstMs = Math.max(100, Math.round(this.#timeoutMs - this.#ageMs()));
    const numbers = [this.#timeoutMs / 1000, this.#groupId, firstMs / 1000].map(String);
    const watchdog = spawn('bash', [...bashArguments, script, 'holdline-watchdog', ...numbers], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
    });
    watchdog.stdin?.on('error', () => {});
    watchdog.on('error', (error) => this.#onFailed(failureSentence(this.#what, error)));
    // Killed from outside while the watched process lives: replace it. Exit code 0: it has killed the group.
    watchdog.once('exit', (code, signal) => {
      if (this.#isEnded || code === 0) return;
      if (signal !== null) this.#process = this.#start();
      else this.#onFailed(failureSentence(this.#what, new Error(`exit code ${code}`)));
    });
    return watchdog;
  }
}

function failureSentence(what: Watched, error: unknown): string {
  const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  const why = isMissing
    ? 'there is no bash on the PATH: install it (apt-get install bash)'
    : `bash cannot be started: ${messageOf(error)}`;
  return `the watchdog of ${what} cannot run: ${why}`;
}
