import { HoldlineError, messageOf } from '../contract/errors.js';
import { type IncarnationExit, isExitReason } from '../contract/exit-reasons.js';
import { type Account, formatFence, type SessionState } from '../contract/status.js';
import type { LoginStorage } from '../contract/thread-messages.js';
import type { Config } from '../platform/config/config.js';
import { unlessAborted } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import type { Redis } from '../platform/redis/connection.js';
import type { BrowserMemory } from './browser/browser-memory.js';
import { Incarnation } from './incarnation.js';
import type { RunRecorder } from './metrics/run-recorder.js';
import { nameProxy } from './name-proxy.js';
import { isQuiet } from './recycling/quiet.js';
import { type Recycling, untilRecyclingDue } from './recycling/recycler.js';
import { type RestartParts, recycle, restart } from './restart.js';
import { type GiveUp, RestartPolicy } from './restart-policy.js';
import type { SessionConfiguration } from './session-configuration.js';
import type { ThreadRpc } from './thread-rpc.js';
import type { WarmThread } from './warm-thread.js';

/** What a run gets from its supervisor. */
export interface RunContext {
  readonly session: string;
  readonly configuration: SessionConfiguration;
  readonly config: Config;
  readonly redis: Redis;
  readonly threads: WarmThread;
  readonly recorder: RunRecorder;
  readonly readMemory: (groupId: number) => Promise<BrowserMemory | null>;
  readonly log: Logger;
}

interface LoopOptions extends RunContext, RestartParts {
  /** The run was asked to end. Not aborted by a lost lease, which kills the browser by itself. */
  readonly ending: AbortSignal;
  readonly onState: (state: SessionState, account: Account | null) => void;
  /** An incarnation has failed. */
  readonly onFailed: () => void;
  /** Redis refused a write of the current incarnation. */
  readonly onFenced: () => void;
  /** Runs work that the loop does not wait for. A failure ends the run. */
  readonly inBackground: (work: Promise<unknown>) => void;
}

/** Why an incarnation ends although its run goes on. */
type IncarnationEnd =
  | { readonly type: 'failed'; readonly exit: IncarnationExit }
  | { readonly type: 'recycling-due'; readonly recycling: Recycling };

/**
 * Runs one incarnation after another. When one ends, {@link RestartPolicy} decides whether and when the next one starts
 * and how much is replaced; {@link restart} carries that out. A browser that has grown too large or too old is replaced
 * by {@link recycle}.
 */
export class IncarnationLoop {
  readonly #options: LoopOptions;
  readonly #policy: RestartPolicy;
  #incarnation: Incarnation | null = null;
  #browserFailure: string | null = null;

  constructor(options: LoopOptions) {
    const { timing, restartsMax } = options.config;
    this.#options = options;
    this.#policy = new RestartPolicy({ ...timing, restartsMax });
  }

  /** The newest incarnation, which may have ended; null: it has not begun. */
  get incarnation(): Incarnation | null {
    return this.#incarnation;
  }

  /** Why the newest browser did not start; null: it did. */
  get browserFailure(): string | null {
    return this.#browserFailure;
  }

  /** Resolves to null when the run is over, or to the decision that restarts do not help any more. */
  async run(): Promise<GiveUp | null> {
    const { over, recorder, backup, onFailed } = this.#options;
    for (;;) {
      const end = await this.#runIncarnation();
      if (end === null) return null;
      if (end.type === 'recycling-due') {
        await recycle(end.recycling, this.#incarnation, this.#options);
      } else {
        recorder.recordIncarnationEnd(end.exit.reason);
        onFailed();
        await backup.stop();
        const decision = this.#policy.decide(end.exit, this.#incarnation?.healthyMs ?? 0);
        if (decision.type === 'end') return decision;
        await restart(end.exit, decision, this.#incarnation, this.#options);
      }
      if (over.aborted) return null;
    }
  }

  /** Runs one incarnation; resolves to why it ended, or to null when the run is over first. */
  async #runIncarnation(): Promise<IncarnationEnd | null> {
    const { availability, browser, configuration, publisher, ending, over } = this.#options;
    this.#incarnation = null;
    availability.update(null, 'starting');
    let proxy: string | null = null;
    try {
      await configuration.read(over);
      const { isLinked, account } = await browser.prepare(over);
      publisher.account = account;
      // The thread loads its modules while the browser starts.
      this.#incarnation = this.#startIncarnation(isLinked);
      const opened = await browser.open(ending);
      proxy = opened.proxy?.server ?? null;
      this.#incarnation.attach(opened);
      this.#browserFailure = null;
    } catch (error) {
      if (over.aborted) return null;
      const code = error instanceof HoldlineError ? error.code : '';
      const reason = isExitReason(code) ? code : 'browser_failed_to_start';
      if (reason === 'browser_failed_to_start') this.#browserFailure = messageOf(error);
      return { type: 'failed', exit: { reason, message: messageOf(error) } };
    }
    const life = new AbortController();
    const { ended, commands } = this.#incarnation;
    const failed = ended.then((exit) => ({ type: 'failed', exit: nameProxy(exit, proxy) }) as const);
    const due = this.#untilRecyclingDue(commands, AbortSignal.any([life.signal, over]));
    try {
      return await unlessAborted(Promise.race([failed, due]), over);
    } catch (error) {
      if (!over.aborted) throw error;
      return null;
    } finally {
      life.abort();
    }
  }

  #startIncarnation(isLinked: boolean): Incarnation {
    const { config, configuration, threads, redis, recorder, browser, publisher } = this.#options;
    const { onState, onFenced, inBackground } = this.#options;
    recorder.recordIncarnationStart();
    const incarnation = new Incarnation({
      thread: threads.take(),
      timing: config.timing,
      redis,
      data: {
        run: publisher.facts,
        lastError: publisher.lastError,
        account: publisher.account,
        wasPasskeyAsked: publisher.wasPasskeyAsked,
        relaysPasskey: config.relaysPasskey,
        isLinked,
        loginStorage: browser.loginStorage,
        ignore: configuration.record.ignore,
        webVersion: config.webVersion,
        deviceName: config.deviceName,
        logLevel: config.logLevel,
        timing: config.timing,
      },
      onState,
      // Redis also refuses a late write of an earlier incarnation. That means nothing.
      onFenced: (fence) => {
        if (formatFence(fence) === formatFence(publisher.fence)) onFenced();
      },
      onBound: recorder.onBound,
      onPasskey: (outcome, answeredMs) => recorder.recordPasskey(outcome, answeredMs),
      onLogin: (storage, account) => inBackground(this.#keepLogin(incarnation, storage, account)),
    });
    return incarnation;
  }

  /** Stores a fresh login, here and in the backup, before the thread says `ready`. */
  async #keepLogin(incarnation: Incarnation, storage: LoginStorage, account: Account | null): Promise<void> {
    const { browser, backup } = this.#options;
    await browser.keepLogin(storage, account);
    if (account === null) return;
    // With the backup, not even the loss of this host costs a new scan after `ready`.
    await backup.backUpNow();
    incarnation.loginKept();
  }

  async #untilRecyclingDue(commands: ThreadRpc, signal: AbortSignal): Promise<IncarnationEnd | null> {
    const { config, redis, session, readMemory, availability, browser, log } = this.#options;
    const { timing, recycling: limits } = config;
    const recycling = await untilRecyclingDue(
      {
        ...{ limits, timing, readMemory, log },
        browser: () => browser.running,
        isReady: () => availability.in('ready') !== null,
        isQuiet: async () => (await isQuiet(redis, session, timing.recycleQuietMs)) && !commands.isBusy,
      },
      signal,
    );
    return recycling && { type: 'recycling-due', recycling };
  }
}
