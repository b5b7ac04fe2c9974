import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { OperatorError } from '../contract/errors.js';
import type { FromHttp, ToHttp } from '../contract/http-process-messages.js';
import { backoffMs, type Timing } from '../contract/timing.js';
import { atMost, type Deferred, deferred, pause } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import { signalGroup } from '../platform/proc.js';
import { ProcessWatchdog } from './process-watchdog.js';

interface HttpProcessOptions {
  readonly entry: URL;
  readonly environment: NodeJS.ProcessEnv;
  readonly timing: Pick<Timing, 'httpHungMs' | 'backoffBaseMs' | 'backoffMaxMs' | 'healthyAfterMs'>;
  readonly log: Logger;
}

/** Many times more than the bounded requests need. Beyond it there is a leak. */
const heapLimitMb = 512;

/** Caps V8's young generation, which otherwise grows and never shrinks; see thread.ts. */
const semiSpaceMb = 4;

/** Longest wait before a restart: short, because callers wait. */
const restartDelayMaxMs = 5_000;

/** Longer than HTTP itself waits for its last responses. */
const stopGraceMs = 10_000;

/**
 * Runs HTTP in its own process. So no load from callers keeps the supervisor's event loop from renewing its leases
 * (docs/decisions/0020). The constructor starts the process; {@link serve} lets it listen. It is restarted on the same
 * port when it ends or hangs. It ends with this process, even if this one is killed.
 */
export class HttpProcess {
  readonly #options: HttpProcessOptions;
  readonly #stopping = new AbortController();
  readonly #firstOutcome: Deferred<string | Error> = deferred();
  readonly #ended: Promise<void>;
  #child: ChildProcess | null = null;
  #restarts = 0;
  #redisUrl: string | null = null;
  #port: number | null = null;

  constructor(options: HttpProcessOptions) {
    this.#options = options;
    this.#ended = this.#keepAlive();
  }

  get restarts(): number {
    return this.#restarts;
  }

  /**
   * Resolves to the URL for clients on this machine. Rejects when HTTP does not come up, with an {@link OperatorError} if the
   * process said why.
   */
  async serve(redisUrl: string): Promise<string> {
    this.#redisUrl = redisUrl;
    if (this.#child !== null) this.#sendServe(this.#child);
    const outcome = await this.#firstOutcome.promise;
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
      const how = await this.#runOnce();
      if (this.#stopping.signal.aborted) break;
      if (this.#port === null) {
        this.#firstOutcome.resolve(new Error(`HTTP did not come up: ${how}`));
        return;
      }
      if (performance.now() - startedAt >= timing.healthyAfterMs) failures = 0;
      const delayMs = failures === 0 ? 0 : Math.min(restartDelayMaxMs, backoffMs(timing, failures - 1));
      failures++;
      this.#restarts++;
      log.warn({ reason: how, delayMs }, 'restarting the process that serves HTTP');
      await pause(delayMs, this.#stopping.signal);
    }
    this.#firstOutcome.resolve(new Error('HTTP was stopped before it came up'));
  }

  /** Runs one process; resolves to how it ended. */
  async #runOnce(): Promise<string> {
    const { entry, environment, timing } = this.#options;
    const child = fork(entry, [], {
      // The terminal's signals must reach the supervisor only, which stops its parts in order.
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
    let watchdog = null as ProcessWatchdog | null;
    let watchdogFailure: string | null = null;
    let heardAt = performance.now();
    const onWatchdogFailed = (why: string) => {
      watchdogFailure = why;
      child.kill('SIGKILL');
    };
    child.on('message', (message: FromHttp) => {
      heardAt = performance.now();
      // Starts with the first message: before it, the process may still wait for other parts to start.
      if (pid !== undefined)
        watchdog ??= new ProcessWatchdog(
          'the HTTP process',
          pid,
          timing.httpHungMs,
          () => 0,
          onWatchdogFailed,
        );
      watchdog?.beat();
      this.#onMessage(message);
    });
    this.#child = child;
    if (this.#redisUrl !== null) this.#sendServe(child);
    try {
      const [code, signal] = await ended;
      if (watchdogFailure !== null) return watchdogFailure;
      if (signal === null) return `exit code ${code}`;
      const silentMs = performance.now() - heardAt;
      // Its watchdog killed it.
      if (signal === 'SIGKILL' && silentMs > 0.8 * timing.httpHungMs)
        return `it did not respond for ${(silentMs / 1_000).toFixed(1)} s`;
      return `signal ${signal}`;
    } catch (error) {
      return `it cannot be started: ${(error as Error).message}`;
    } finally {
      this.#child = null;
      if (pid !== undefined) signalGroup(pid, 'SIGKILL');
      watchdog?.end();
    }
  }

  #sendServe(child: ChildProcess): void {
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
        return this.#firstOutcome.resolve(message.url);
      case 'refused':
        // Before the first `listening` this ends the program. Later the cause may go away: a restart tries again.
        if (this.#port !== null) log.error(message.message);
        return this.#firstOutcome.resolve(new OperatorError(message.message));
      default:
        message satisfies never;
    }
  }
}
