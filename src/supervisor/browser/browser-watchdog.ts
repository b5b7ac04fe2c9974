import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { messageOf, OperatorError } from '../../contract/errors.js';

/**
 * A process of 3 MB beside each browser that kills the browser's process group when nobody has written to its
 * stdin for a while, or when stdin closes. It covers what the supervisor cannot do for itself: being frozen,
 * blocked or killed. It must not die with the supervisor's terminal or group, hence `detached` and the trap.
 *
 * The bash of macOS (3.2) knows whole seconds only: there it kills up to a second early, never late.
 */
const script = `trap "" TERM INT HUP
patience=$1 first=$3
if ! echo | read -r -t 9.9 _; then patience=\${1%.*} first=\${3%.*}; fi
while [ "$first" != 0 ] && read -r -t "$first" _; do first=$patience; done
kill -KILL -- "-$2"`;

/** Without, bash runs what the owner of the machine has in ~/.bashrc (where stdin is a socket) and in BASH_ENV. */
const bashArguments = ['--norc', '-p', '-c'];

/** Throws {@link OperatorError} where no guard could be started: a browser is never without one. */
export async function requireWatchdog(): Promise<void> {
  await promisify(execFile)('bash', [...bashArguments, ':']).catch((error) => {
    throw new OperatorError(unguarded(error));
  });
}

export class BrowserWatchdog {
  readonly #groupId: number;
  readonly #timeoutMs: number;
  readonly #ageMs: () => number;
  readonly #onUnguarded: (why: string) => void;
  #process: ChildProcess;
  #isEnded = false;

  /**
   * `ageMs`: how long ago the lease was renewed; the first silence has already lasted that long. `onUnguarded`: the group
   * has no guard, for the reason given, and must end.
   */
  constructor(groupId: number, timeoutMs: number, ageMs: () => number, onUnguarded: (why: string) => void) {
    this.#groupId = groupId;
    this.#timeoutMs = timeoutMs;
    this.#ageMs = ageMs;
    this.#onUnguarded = onUnguarded;
    this.#process = this.#start();
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Says that the lease was renewed just now. */
  beat(): void {
    this.#process.stdin?.write('\n');
  }

  /** To be called after the browser's exit only. */
  end(): void {
    this.#isEnded = true;
    this.#process.kill('SIGKILL');
  }

  #start(): ChildProcess {
    const firstMs = Math.max(100, Math.round(this.#timeoutMs - this.#ageMs()));
    const numbers = [this.#timeoutMs / 1000, this.#groupId, firstMs / 1000].map(String);
    const guard = spawn('bash', [...bashArguments, script, 'holdline-guard', ...numbers], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
    });
    guard.stdin?.on('error', () => {});
    guard.on('error', (error) => this.#onUnguarded(unguarded(error)));
    // Killed from outside while the browser lives: the browser must not be without one.
    guard.once('exit', (code, signal) => {
      if (this.#isEnded || code === 0) return;
      if (signal !== null) this.#process = this.#start();
      else this.#onUnguarded(unguarded(new Error(`exit code ${code}`)));
    });
    return guard;
  }
}

function unguarded(error: unknown): string {
  const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  const why = isMissing
    ? 'there is no bash on the PATH: install it (apt-get install bash)'
    : `bash cannot be started: ${messageOf(error)}`;
  return `no guard for the browser, ${why}`;
}
