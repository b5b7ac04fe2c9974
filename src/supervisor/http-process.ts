import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { OperatorError } from '../contract/errors.js';
import type { FromHttp, ToHttp } from '../contract/http-process-messages.js';
import { backoffMs, type Timing } from '../contract/timing.js';
import { atMost, type Deferred, deferred, pause } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import { signalGroup } from '../platform/proc.js';
import { BrowserWatchdog } from './browser/browser-watchdog.js';

interface HttpProcessOptions {
  readonly entry: URL;
  readonly environment: NodeJS.ProcessEnv;
  readonly timing: Pick<Timing, 'httpHungMs' | 'backoffBaseMs' | 'backoffMaxMs' | 'healthyAfterMs'>;
  readonly log: Logger;
}

/** Many times what bounded requests need; beyond it something leaks. */
const heapLimitMb = 512;

/** A young generation grows and is never given back; see the thread's. */
const semiSpaceMb = 4;

/** Callers wait for it: an HTTP that ends again and again is no burden that needs a longer pause. */
const longestDelayMs = 5_000;

/** Longer than its own patience with last answers. */
const stopGraceMs = 10_000;

/**
 * HTTP in a process of its own: whatever callers do to it, the supervisor's event loop is free to renew its leases. It
 * loads its modules from the construction on and serves from {@link serve} on; it is started again when it ends or hangs,
 * on the same port; and it ends with this process, however that ends.
 */
export class HttpProcess {
  readonly #options: HttpProcessOptions;
  readonly #stopping = new AbortController();
  readonly #first: Deferred<string | Error> = deferred();
  readonly #ended: Promise<void>;
  #child: ChildProcess | null = null;
  #restarts = 0;
  #redisUrl: string | null = null;
  #port: number | null = null;

  constructor(options: HttpProcessOptions) {
    this.#options = options;
    this.#ended = this.#keepAlive();
  }

  /** null: it is being started. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /**
   * Resolves to where a client on this machine reaches it; rejects where it does not come up, with an
   * {@link OperatorError} if it says why.
   */
  async serve(redisUrl: string): Promise<string> {
    this.#redisUrl = redisUrl;
    if (this.#child !== null) this.#tell(this.#child);
    const outcome = await this.#first.promise;
    if (outcome instanceof Error) throw outcome;
    return outcome;
  }

  async stop(force: AbortSignal): Promise<void> {
    this.#stopping.abort();
    if (this.#child?.connected) this.#child.disconnect();
    await atMost(this.#ended, stopGraceMs, force);
    this.#child?.kill('SIGKILL');
    await this.#ended;
  }

  async #keepAlive(): Promise<void> {
    const { timing, log } = this.#options;
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      const startedAt = performance.now();
      const how = await this.#live();
      if (this.#stopping.signal.aborted) break;
      if (this.#port === null) {
        this.#first.resolve(new Error(`HTTP did not come up: ${how}`));
        return;
      }
      if (performance.now() - startedAt >= timing.healthyAfterMs) failures = 0;
      const delayMs = failures === 0 ? 0 : Math.min(longestDelayMs, backoffMs(timing, failures - 1));
      failures++;
      this.#restarts++;
      log.warn({ reason: how, delayMs }, 'restarting the process that serves HTTP');
      await pause(delayMs, this.#stopping.signal);
    }
    this.#first.resolve(new Error('HTTP was stopped before it came up'));
  }

  /** One process from start to end; resolves to what it ended by. */
  async #live(): Promise<string> {
    const { entry, environment, timing } = this.#options;
    const child = fork(entry, [], {
      // Signals of a terminal are for the supervisor, which stops what it has started in its order.
      detached: true,
      env: environment,
      execArgv: [
        ...process.execArgv,
        `--max-old-space-size=${heapLimitMb}`,
        `--max-semi-space-size=${semiSpaceMb}`,
      ],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    const { pid } = child;
    let guard = null as BrowserWatchdog | null;
    let unguarded: string | null = null;
    let heardAt = performance.now();
    const endUnguarded = (why: string) => {
      unguarded = why;
      child.kill('SIGKILL');
    };
    child.on('message', (message: FromHttp) => {
      heardAt = performance.now();
      // Until then it may wait for whatever it is started after.
      if (pid !== undefined) guard ??= new BrowserWatchdog(pid, timing.httpHungMs, () => 0, endUnguarded);
      guard?.beat();
      this.#onMessage(message);
    });
    this.#child = child;
    if (this.#redisUrl !== null) this.#tell(child);
    try {
      const [code, signal] = await ended;
      if (unguarded !== null) return unguarded;
      if (signal === null) return `exit code ${code}`;
      const silentMs = performance.now() - heardAt;
      // Then it was its guard who killed it.
      if (signal === 'SIGKILL' && silentMs > 0.8 * timing.httpHungMs)
        return `it did not respond for ${(silentMs / 1_000).toFixed(1)} s`;
      return `signal ${signal}`;
    } catch (error) {
      return `it cannot be started: ${(error as Error).message}`;
    } finally {
      this.#child = null;
      if (pid !== undefined) signalGroup(pid, 'SIGKILL');
      guard?.end();
    }
  }

  #tell(child: ChildProcess): void {
    const message: ToHttp = { type: 'serve', redisUrl: this.#redisUrl ?? '', port: this.#port };
    child.send(message, () => undefined);
  }

  #onMessage(message: FromHttp): void {
    const { log } = this.#options;
    switch (message.type) {
      case 'alive':
        return;
      case 'listening':
        if (this.#port !== null) log.info({ url: message.url }, 'HTTP is served again');
        this.#port = message.port;
        return this.#first.resolve(message.url);
      case 'refused':
        // The first time that ends the product; later, what stands in its way may go away again.
        if (this.#port !== null) log.error(message.message);
        return this.#first.resolve(new OperatorError(message.message));
      default:
        message satisfies never;
    }
  }
}
