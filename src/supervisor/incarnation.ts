import type { OnBound } from '../contract/bounds.js';
import type { IncarnationExit } from '../contract/exit-reasons.js';
import type { Account, Fence, SessionState } from '../contract/status.js';
import type { FromThread, LoginStorage, ThreadData } from '../contract/thread-messages.js';
import type { Timing } from '../contract/timing.js';
import { type Deferred, deferred, withDeadline } from '../platform/deadline.js';
import type { Browser } from './browser/browser.js';
import { ThreadRpc } from './commands/thread-rpc.js';
import type { SessionThread } from './thread.js';

interface IncarnationOptions {
  /** One that is not an incarnation yet. */
  readonly thread: SessionThread;
  readonly data: ThreadData;
  readonly timing: Timing;
  readonly onState: (state: SessionState, account: Account | null) => void;
  readonly onFenced: (fence: Fence) => void;
  readonly onBound: OnBound;
  /** A fresh login; with an account the thread waits for {@link Incarnation.loginKept} before it says `ready`. */
  readonly onLogin: (storage: LoginStorage, account: Account | null) => void;
}

/** One life of the session worker: its thread and the browser that it is attached to. */
export class Incarnation {
  /** Settles once, to why this life is over. The thread may still have to be stopped. */
  readonly over: Promise<IncarnationExit>;
  readonly commands: ThreadRpc;
  readonly #options: IncarnationOptions;
  readonly #thread: SessionThread;
  readonly #ended: Deferred<IncarnationExit> = deferred();
  readonly #loggedOut: Deferred<boolean> = deferred();
  #state: SessionState = 'starting';
  #healthySince: number | null = null;
  #endedAt: number | null = null;

  constructor(options: IncarnationOptions) {
    this.#options = options;
    this.#thread = options.thread;
    this.#thread.begin(options.data, (message) => this.#onMessage(message));
    this.commands = new ThreadRpc((message) => this.#thread.post(message));
    this.over = Promise.race([this.#thread.over, this.#ended.promise]).finally(() => {
      this.#endedAt = performance.now();
      this.commands.close();
    });
  }

  /** How long it has been in `qr` or `ready`; 0 if never. */
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

  /** Its life is over, for a reason that it does not know itself. */
  end(exit: IncarnationExit): void {
    this.#ended.resolve(exit);
  }

  refence(fence: Fence): void {
    this.#thread.post({ type: 'fence', fence });
  }

  loginKept(): void {
    this.#thread.post({ type: 'login-kept' });
  }

  /** Tells the phone; whether it could be told in time. A page that asks for a login may have been linked just now. */
  async logout(): Promise<boolean> {
    if (this.#state === 'starting') return false;
    this.#thread.post({ type: 'logout' });
    const { logoutDeadlineMs } = this.#options.timing;
    const threadOver = this.#thread.over.then(() => false);
    const answer = Promise.race([this.#loggedOut.promise, threadOver]);
    return withDeadline(answer, logoutDeadlineMs + 1_000, 'the session worker').catch(() => false);
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
      case 'login':
        return this.#options.onLogin(message.storage, message.account);
      case 'answer':
      case 'refusal':
        return this.commands.settle(message);
      case 'logged-out':
        return this.#loggedOut.resolve(message.unlinked);
      case 'alive':
      case 'failed':
      case 'stopped':
        return;
      default:
        message satisfies never;
    }
  }
}
