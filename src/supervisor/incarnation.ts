import { MessageChannel } from 'node:worker_threads';
import type { OnBound } from '../contract/bounds.js';
import type { IncarnationExit } from '../contract/exit-reasons.js';
import { type LogoutResult, logoutResults } from '../contract/intent.js';
import type { PasskeyOutcome } from '../contract/passkey.js';
import type { Account, Fence, SessionState } from '../contract/status.js';
import type { FromThread, LoginStorage, ThreadData } from '../contract/thread-messages.js';
import type { Timing } from '../contract/timing.js';
import { type Deferred, deferred, withDeadline } from '../platform/deadline.js';
import type { Redis } from '../platform/redis/connection.js';
import { serveRemoteConnection } from '../platform/redis/remote-connection.js';
import type { Browser } from './browser/browser.js';
import type { SessionThread } from './thread.js';
import { ThreadRpc } from './thread-rpc.js';

interface IncarnationOptions {
  /** A thread that has not begun. */
  readonly thread: SessionThread;
  readonly data: Omit<ThreadData, 'redis'>;
  /** The thread's commands to Redis go through this connection. */
  readonly redis: Redis;
  readonly timing: Timing;
  readonly onState: (state: SessionState, account: Account | null) => void;
  readonly onFenced: (fence: Fence) => void;
  readonly onBound: OnBound;
  readonly onPasskey: (outcome: PasskeyOutcome, answeredMs: number | null) => void;
  /** A fresh login. With an account, the thread waits for {@link Incarnation.loginKept} before it says `ready`. */
  readonly onLogin: (storage: LoginStorage, account: Account | null) => void;
}

/** One life of the session worker: its thread, attached to a browser. */
export class Incarnation {
  /** Resolves to why this life ended. The thread may still have to be stopped. */
  readonly ended: Promise<IncarnationExit>;
  readonly commands: ThreadRpc;
  readonly #options: IncarnationOptions;
  readonly #thread: SessionThread;
  readonly #outsideEnd: Deferred<IncarnationExit> = deferred();
  readonly #loggedOut: Deferred<LogoutResult> = deferred();
  #state: SessionState = 'starting';
  #healthySince: number | null = null;
  #endedAt: number | null = null;

  constructor(options: IncarnationOptions) {
    this.#options = options;
    this.#thread = options.thread;
    const redis = new MessageChannel();
    serveRemoteConnection(redis.port1, options.redis);
    const data = { ...options.data, redis: redis.port2 };
    this.#thread.begin(data, (message) => this.#onMessage(message));
    this.commands = new ThreadRpc((message) => this.#thread.post(message));
    this.ended = Promise.race([this.#thread.ended, this.#outsideEnd.promise]).finally(() => {
      this.#endedAt = performance.now();
      this.commands.close();
    });
  }

  /** How long ago it first was in `qr` or `ready`, until its end; 0: never. */
  get healthyMs(): number {
    return this.#healthySince === null ? 0 : (this.#endedAt ?? performance.now()) - this.#healthySince;
  }

  attach(browser: Browser): void {
    const port = browser.openPort();
    this.#thread.post({ type: 'attach', browser: port }, [port]);
    void browser.exited.then((how) =>
      this.end({ reason: 'browser_died', message: `the browser died (${how})` }),
    );
  }

  /** Ends this life for a reason that the thread does not know. */
  end(exit: IncarnationExit): void {
    this.#outsideEnd.resolve(exit);
  }

  /** The run has a new fence: the thread writes under it from now on. */
  refence(fence: Fence): void {
    this.#thread.post({ type: 'fence', fence });
  }

  /** The fresh login is stored: the thread may say `ready`. */
  loginKept(): void {
    this.#thread.post({ type: 'login-kept' });
  }

  /**
   * Unlinks the device. Also tries it in `qr`: the page may have been linked just now. Resolves to null if there is no page yet that
   * could do it.
   */
  async logout(): Promise<LogoutResult | null> {
    if (this.#state === 'starting') return null;
    this.#thread.post({ type: 'logout' });
    const { logoutDeadlineMs } = this.#options.timing;
    const threadEnded = this.#thread.ended.then(() => logoutResults.notTold);
    const answer = Promise.race([this.#loggedOut.promise, threadEnded]);
    return withDeadline(answer, logoutDeadlineMs + 1_000, 'the session worker').catch(
      () => logoutResults.notTold,
    );
  }

  stop(graceMs: number, force: AbortSignal): Promise<void> {
    return this.#thread.stop(graceMs, force);
  }

  terminate(): Promise<void> {
    return this.#thread.terminate();
  }

  #onMessage(message: FromThread): void {
    switch (message.type) {
      case 'state':
        this.#state = message.state;
        if (message.state === 'qr' || message.state === 'ready') this.#healthySince ??= performance.now();
        return this.#options.onState(message.state, message.account);
      case 'fenced':
        return this.#options.onFenced(message.fence);
      case 'bound':
        return this.#options.onBound(message.bound);
      case 'passkey':
        return this.#options.onPasskey(message.outcome, message.answeredMs);
      case 'login':
        return this.#options.onLogin(message.storage, message.account);
      case 'answer':
      case 'refusal':
        return this.commands.settle(message);
      case 'logged-out':
        return this.#loggedOut.resolve(message.result);
      case 'alive':
      case 'failed':
      case 'stopped':
        return;
      default:
        message satisfies never;
    }
  }
}
