import { type ChildProcess, spawn } from 'node:child_process';

/**
 * A process of 3 MB beside each browser that kills the browser's process group when nobody has written to its
 * stdin for a while, or when stdin closes. It covers what the supervisor cannot do for itself: being frozen,
 * blocked or killed. It must not die with the supervisor's terminal or group, hence `detached` and the trap.
 */
const script = `trap "" TERM INT HUP
patience=$3
while read -r -t "$patience" _; do patience=$1; done
kill -KILL -- "-$2"`;

export class Guard {
  readonly #groupId: number;
  readonly #timeoutMs: number;
  readonly #ageMs: () => number;
  #process: ChildProcess;
  #isEnded = false;

  /** `ageMs`: how long ago the lease was renewed; the first silence has already lasted that long. */
  constructor(groupId: number, timeoutMs: number, ageMs: () => number) {
    this.#groupId = groupId;
    this.#timeoutMs = timeoutMs;
    this.#ageMs = ageMs;
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
    // Without, bash takes a stdin that is a socket for a remote login, and runs what ~/.bashrc holds.
    const args = ['--norc', '-c', script, 'holdline-guard', ...numbers];
    const guard = spawn('bash', args, { detached: true, stdio: ['pipe', 'ignore', 'ignore'], cwd: '/' });
    guard.stdin?.on('error', () => {});
    guard.on('error', () => {});
    // Killed from outside while the browser lives: the browser must not be without one.
    guard.once('exit', (_, signal) => {
      if (!this.#isEnded && signal !== null) this.#process = this.#start();
    });
    return guard;
  }
}
