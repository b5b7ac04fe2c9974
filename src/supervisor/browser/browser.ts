import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { MessagePort } from 'node:worker_threads';
import { HoldlineError } from '../../contract/errors.js';
import { preparedPage } from '../../contract/names.js';
import type { Timing } from '../../contract/timing.js';
import { atMost, pause, withDeadline } from '../../platform/deadline.js';
import { signalGroup } from '../../platform/proc.js';
import { BrowserWatchdog } from './browser-watchdog.js';
import { chromeFlags } from './chrome-flags.js';
import { DebuggingPipe } from './debugging-pipe.js';
import { whileGroupFrozen } from './process-group.js';

export interface BrowserOptions {
  readonly executable: string;
  readonly profileDir: string;
  readonly headless: boolean;
  readonly extraArgs: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly timing: Pick<Timing, 'browserStartMs' | 'guardTimeoutMs'>;
  readonly lease: BrowserLease;
  /** Gives up a browser that is not up yet. */
  readonly abandon: AbortSignal;
}

/** A browser lives under the lease of its run: each renewal feeds its guard, the loss kills it at once. */
export interface BrowserLease {
  readonly lost: AbortSignal;
  readonly renewed: Set<() => void>;
  readonly isHeld: boolean;
  readonly ageMs: number;
}

/** For a browser that no run holds, such as one that is looked at once; its guard ends it all the same if its program hangs. */
export function endlessLease(): BrowserLease {
  return { lost: new AbortController().signal, renewed: new Set(), isHeld: true, ageMs: 0 };
}

/** Starts Chromium in a process group of its own, under a guard; rejects with a sentence, nothing left behind. */
export async function launchBrowser(options: BrowserOptions): Promise<Browser> {
  const { executable, profileDir, headless, extraArgs, timing, abandon } = options;
  if (abandon.aborted || !options.lease.isHeld) throw failure('the browser is not needed any more');
  const child = spawn(executable, chromeFlags({ profileDir, headless, extra: extraArgs }), {
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
  const browser = new Browser(child, child.pid, timing.guardTimeoutMs, options.lease);
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

/** A running Chromium. Whoever holds it must call {@link stop} or {@link kill}. */
export class Browser {
  readonly pid: number;
  /** Resolves when it is really gone, to what it ended by: `signal SIGKILL`, `exit code 21`. */
  readonly exited: Promise<string>;
  /** Resolves when it answers; rejects with a sentence when it ends before. */
  readonly started: Promise<void>;
  readonly #child: ChildProcess;
  readonly #guard: BrowserWatchdog;
  readonly #pipe: DebuggingPipe;
  readonly #startedAt = performance.now();
  #hasExited = false;
  #unguarded: string | null = null;
  #lastWords: string[] = [];

  constructor(child: ChildProcess, pid: number, guardTimeoutMs: number, lease: BrowserLease) {
    this.#child = child;
    this.pid = pid;
    const die = () => void this.kill();
    this.#guard = new BrowserWatchdog(
      pid,
      guardTimeoutMs,
      () => lease.ageMs,
      (why) => {
        this.#unguarded = why;
        die();
      },
    );
    const beat = () => this.#guard.beat();
    lease.renewed.add(beat);
    lease.lost.addEventListener('abort', die, { once: true });
    this.#pipe = new DebuggingPipe(child.stdio[3] as Writable, child.stdio[4] as Readable);
    // A signal that cannot be sent is no end: the guard, or the next signal, sees to that.
    child.on('error', () => {});
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        lease.renewed.delete(beat);
        lease.lost.removeEventListener('abort', die);
        resolve(this.#onExit(code, signal));
      });
    });
    this.started = this.#untilStarted();
    this.started.catch(() => {});
  }

  get isAlive(): boolean {
    return !this.#hasExited;
  }

  get ageMs(): number {
    return performance.now() - this.#startedAt;
  }

  get guardPid(): number | undefined {
    return this.#guard.pid;
  }

  /**
   * Closes every page that an earlier thread left, so that the account never has two, and opens an empty one for the
   * next. False when the browser or a page does not answer in time: use another browser then.
   */
  async renewPages(deadlineMs: number): Promise<boolean> {
    const signal = AbortSignal.timeout(deadlineMs);
    try {
      const leftovers = await this.#pages(signal);
      await Promise.all(leftovers.map((page) => this.#untilHears(page, signal)));
      // First: a browser without any page may end.
      await this.#pipe.command('Target.createTarget', { url: preparedPage }, signal);
      const close = (targetId: string) => this.#pipe.command('Target.closeTarget', { targetId }, signal);
      await Promise.all(leftovers.map(close));
      while (!signal.aborted) {
        const still = await this.#pages(signal);
        if (!leftovers.some((page) => still.includes(page))) return true;
        await pause(10, signal);
      }
      return false;
    } catch {
      return false;
    }
  }

  /** A port that speaks the DevTools protocol with it, for as long as both live; to be passed on to a thread. */
  openPort(): MessagePort {
    return this.#pipe.openPort();
  }

  /** Runs `work` while none of the browser's processes writes anything. */
  whileFrozen<T>(work: () => Promise<T>): Promise<T> {
    return this.isAlive ? whileGroupFrozen(this.pid, work) : work();
  }

  /** SIGTERM, so that Chromium writes what it holds; SIGKILL to its group after `graceMs`, or on `force`. */
  async stop(graceMs: number, force: AbortSignal): Promise<void> {
    if (this.isAlive) {
      this.#child.kill('SIGTERM');
      // A stopped process would keep the SIGTERM pending for ever.
      signalGroup(this.pid, 'SIGCONT');
      await atMost(this.exited, graceMs, force);
    }
    await this.kill();
  }

  /** SIGKILL to the whole group; resolves when none of it runs any more. */
  async kill(): Promise<void> {
    if (this.isAlive) signalGroup(this.pid, 'SIGKILL');
    await this.exited;
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): string {
    this.#hasExited = true;
    // Helpers of a browser that ended by itself.
    signalGroup(this.pid, 'SIGKILL');
    this.#guard.end();
    if (this.#unguarded !== null) return this.#unguarded;
    return signal === null ? `exit code ${code}` : `signal ${signal}`;
  }

  async #untilStarted(): Promise<void> {
    const stderr = this.#child.stderr as Readable;
    const lines = createInterface({ input: stderr });
    lines.on('line', (line) => {
      this.#lastWords = [...this.#lastWords, line].slice(-5);
    });
    const died = this.exited.then((how) => {
      if (this.#unguarded !== null) throw failure(this.#unguarded);
      throw failure(
        `the browser ended while it started (${how}): ${this.#lastWords.at(-1) ?? 'it said nothing'}`,
      );
    });
    // Its end is told by `died`, with its last words.
    const answered = this.#pipe.command('Browser.getVersion', {}).catch(() => died);
    await Promise.race([answered, died]);
    lines.close();
    stderr.resume();
  }

  /**
   * Resolves when closing the page ends it: it answers, or has crashed. One that hangs goes on when it is closed, with its
   * connection to WhatsApp, and Chromium may give its process to the next page of the site.
   */
  async #untilHears(targetId: string, signal: AbortSignal): Promise<void> {
    const attach = { targetId, flatten: true };
    const { sessionId } = await this.#pipe.command('Target.attachToTarget', attach, signal);
    const ask = (method: string, params: object) =>
      this.#pipe.command(method, params, signal, String(sessionId));
    await Promise.all([ask('Inspector.enable', {}), ask('Runtime.evaluate', { expression: '0' })]).catch(() =>
      signal.throwIfAborted(),
    );
  }

  async #pages(signal: AbortSignal): Promise<string[]> {
    const { targetInfos } = await this.#pipe.command('Target.getTargets', {}, signal);
    const targets = targetInfos as { targetId: string; type: string }[];
    return targets.filter(({ type }) => type === 'page').map(({ targetId }) => targetId);
  }
}

/** `cause`: there was no process at all, so it is nothing that another profile could mend. */
function failure(message: string, options: { cause?: unknown } = {}): HoldlineError {
  return new HoldlineError('browser_failed_to_start', message, { ...options, retryable: true });
}
