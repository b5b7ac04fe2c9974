import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { MessagePort } from 'node:worker_threads';
import { HoldlineError } from '../../contract/errors.js';
import type { ProxyLogin } from '../../contract/proxy.js';
import type { Timing } from '../../contract/timing.js';
import { atMost, withDeadline } from '../../platform/deadline.js';
import { signalGroup } from '../../platform/proc.js';
import { ProcessWatchdog } from '../process-watchdog.js';
import { chromeFlags } from './chrome-flags.js';
import { DebuggingPipe } from './debugging-pipe.js';
import { type Identity, overrideIdentity } from './identity-override.js';
import { renewPages } from './page-renewal.js';
import { whileGroupFrozen } from './process-group.js';
import { authenticateToProxy } from './proxy-authentication.js';
import { withProxy } from './proxy-flags.js';

export interface BrowserOptions {
  readonly executable: string;
  readonly profileDir: string;
  readonly headless: boolean;
  /** What it says of itself in place of its own words; null: these are right. */
  readonly identity: Identity | null;
  /** Told once if a page or worker did not take the identity. */
  readonly warn: (message: string) => void;
  readonly extraArgs: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** null: as `extraArgs` say. */
  readonly proxy?: BrowserProxy | null;
  readonly timing: Pick<Timing, 'browserStartMs' | 'guardTimeoutMs'>;
  readonly lease: BrowserLease;
  /** Ends a browser that has not started yet. */
  readonly abandon: AbortSignal;
}

/** The proxy that a browser uses for everything. */
export interface BrowserProxy {
  readonly server: string;
  readonly login: ProxyLogin | null;
}

/** A browser lives under the lease of its run. Each renewal resets its watchdog; the loss of the lease kills it at once. */
export interface BrowserLease {
  readonly lost: AbortSignal;
  readonly renewed: Set<() => void>;
  readonly isHeld: boolean;
  readonly ageMs: number;
}

/** For a browser without a run, for example in a diagnosis. Nothing renews it: the watchdog ends the browser after its timeout. */
export function endlessLease(): BrowserLease {
  return { lost: new AbortController().signal, renewed: new Set(), isHeld: true, ageMs: 0 };
}

/** Starts Chromium in its own process group, with a watchdog. When it rejects (`browser_failed_to_start`), no process is left. */
export async function launchBrowser(options: BrowserOptions): Promise<Browser> {
  const { executable, profileDir, headless, extraArgs, proxy = null, timing, abandon } = options;
  if (abandon.aborted || !options.lease.isHeld) throw failure('the browser is not needed any more');
  const extra = proxy === null ? extraArgs : withProxy(extraArgs, proxy.server);
  const child = spawn(executable, chromeFlags({ profileDir, headless, extra }), {
    detached: true,
    env: options.environment,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
  });
  if (child.pid === undefined) {
    const [error] = (await once(child, 'error')) as [NodeJS.ErrnoException];
    throw failure(`the browser ${executable} cannot be started: ${error.code ?? error.message}`, {
      cause: error,
    });
  }
  const browser = new Browser(child, child.pid, options);
  const giveUp = () => void browser.kill();
  abandon.addEventListener('abort', giveUp, { once: true });
  try {
    await withDeadline(browser.started, timing.browserStartMs, 'the starting browser');
    return browser;
  } catch (error) {
    await browser.kill();
    throw error;
  } finally {
    abandon.removeEventListener('abort', giveUp);
  }
}

/** A running Chromium. Its owner must call {@link stop} or {@link kill}. */
export class Browser {
  readonly pid: number;
  readonly proxy: BrowserProxy | null;
  /** Resolves when the process has exited, to the cause: `signal SIGKILL`, `exit code 21`, or why its watchdog failed. */
  readonly exited: Promise<string>;
  /** Resolves when it answers its debugging pipe. Rejects with `browser_failed_to_start` if it exits first. */
  readonly started: Promise<void>;
  readonly #child: ChildProcess;
  readonly #watchdog: ProcessWatchdog;
  readonly #pipe: DebuggingPipe;
  readonly #startedAt = performance.now();
  #hasExited = false;
  #watchdogFailure: string | null = null;
  #lastLines: string[] = [];

  constructor(
    child: ChildProcess,
    pid: number,
    options: Pick<BrowserOptions, 'timing' | 'lease' | 'proxy' | 'identity' | 'warn'>,
  ) {
    const { lease, proxy = null } = options;
    this.#child = child;
    this.pid = pid;
    this.proxy = proxy;
    const die = () => void this.kill();
    this.#watchdog = new ProcessWatchdog(
      'the browser',
      pid,
      options.timing.guardTimeoutMs,
      () => lease.ageMs,
      (why) => {
        this.#watchdogFailure = why;
        die();
      },
    );
    const beat = () => this.#watchdog.beat();
    lease.renewed.add(beat);
    lease.lost.addEventListener('abort', die, { once: true });
    this.#pipe = new DebuggingPipe(child.stdio[3] as Writable, child.stdio[4] as Readable);
    // A signal that could not be sent. The watchdog or the next signal ends the browser.
    child.on('error', () => {});
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        lease.renewed.delete(beat);
        lease.lost.removeEventListener('abort', die);
        resolve(this.#onExit(code, signal));
      });
    });
    this.started = this.#untilStarted(options);
    this.started.catch(() => {});
  }

  get isAlive(): boolean {
    return !this.#hasExited;
  }

  get ageMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** Makes the browser usable for the next thread; false: use another browser ({@link renewPages}). */
  renewPages(deadlineMs: number): Promise<boolean> {
    return renewPages(this.#pipe, deadlineMs);
  }

  /** A port for a thread that speaks the DevTools protocol with the browser, for as long as both live. */
  openPort(): MessagePort {
    return this.#pipe.openPort();
  }

  /** Runs `work` while all of the browser's processes are stopped, so that none writes anything. */
  whileFrozen<T>(work: () => Promise<T>): Promise<T> {
    return this.isAlive ? whileGroupFrozen(this.pid, work) : work();
  }

  /** Sends SIGTERM, so that Chromium writes its data; SIGKILL to its group after `graceMs`, or when `force` aborts. */
  async stop(graceMs: number, force: AbortSignal): Promise<void> {
    if (this.isAlive) {
      this.#child.kill('SIGTERM');
      // A stopped process would never handle the SIGTERM.
      signalGroup(this.pid, 'SIGCONT');
      await atMost(this.exited, graceMs, force);
    }
    await this.kill();
  }

  /** Sends SIGKILL to the whole group; resolves when the browser has exited. */
  async kill(): Promise<void> {
    if (this.isAlive) signalGroup(this.pid, 'SIGKILL');
    await this.exited;
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): string {
    this.#hasExited = true;
    // A browser that exits by itself can leave helpers.
    signalGroup(this.pid, 'SIGKILL');
    this.#watchdog.end();
    if (this.#watchdogFailure !== null) return this.#watchdogFailure;
    return signal === null ? `exit code ${code}` : `signal ${signal}`;
  }

  async #untilStarted({ identity, warn }: Pick<BrowserOptions, 'identity' | 'warn'>): Promise<void> {
    const stderr = this.#child.stderr as Readable;
    const lines = createInterface({ input: stderr });
    lines.on('line', (line) => {
      this.#lastLines = [...this.#lastLines, line].slice(-5);
    });
    const died = this.exited.then((how) => {
      if (this.#watchdogFailure !== null) throw failure(this.#watchdogFailure);
      throw failure(
        `the browser ended while it started (${how}): ${this.#lastLines.at(-1) ?? 'it said nothing'}`,
      );
    });
    // If the browser exits, `died` rejects with the last line of its stderr.
    const login = this.proxy?.login ?? null;
    const answered = this.#pipe
      .command('Browser.getVersion', {})
      .then(() => login && authenticateToProxy(this.#pipe, login))
      .then(() => identity && overrideIdentity(this.#pipe, identity, warn))
      .catch(() => died);
    await Promise.race([answered, died]);
    lines.close();
    stderr.resume();
  }
}

/** `cause`: no process could be started at all, so another profile would not help. */
function failure(message: string, options: { cause?: unknown } = {}): HoldlineError {
  return new HoldlineError('browser_failed_to_start', message, options);
}
