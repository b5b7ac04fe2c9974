import { HoldlineError, messageOf } from '../contract/errors.js';
import { exitPolicy, type IncarnationExit, isExitReason } from '../contract/exit-reasons.js';
import type { Intent } from '../contract/intent.js';
import { type Account, formatFence, type SessionState, type StateChange } from '../contract/status.js';
import type { LoginStorage } from '../contract/thread-messages.js';
import type { Config } from '../platform/config/config.js';
import { pause, unlessAborted, withDeadline } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import type { Redis } from '../platform/redis/connection.js';
import { stepDown } from '../platform/store/state-store.js';
import type { BrowserMemory } from './browser/browser-memory.js';
import { SessionBrowser } from './browser/session-browser.js';
import { Availability, type RestartDelay } from './commands/availability.js';
import { SessionCommands } from './commands/session-commands.js';
import type { ThreadRpc } from './commands/thread-rpc.js';
import { CredentialsBackup } from './credentials/credentials-backup.js';
import { SnapshotStore } from './credentials/snapshot-store.js';
import { HeartbeatSender } from './heartbeat.js';
import { Incarnation } from './incarnation.js';
import type { Lease } from './lease.js';
import type { RunRecorder } from './metrics/run-recorder.js';
import { isQuiet } from './recycling/quiet.js';
import { type Recycling, untilDue } from './recycling/recycler.js';
import { RestartPolicy } from './restart-policy.js';
import { RunLostError, RunPublisher } from './run-publisher.js';
import type { WarmThread } from './warm-thread.js';

export interface RunOptions {
  readonly session: string;
  readonly startId: string;
  readonly token: string;
  readonly lease: Lease;
  readonly supervisorId: string;
  readonly threads: WarmThread;
  readonly redis: Redis;
  readonly redisUrl: string;
  readonly config: Config;
  readonly recorder: RunRecorder;
  readonly readMemory: (groupId: number) => Promise<BrowserMemory | null>;
  readonly log: Logger;
}

/** Why a run stops running here; a lost lease stops it without being asked. */
type Ending =
  | { readonly type: 'intent'; readonly intent: Intent }
  | { readonly type: 'hand-over' }
  | { readonly type: 'gave-up'; readonly state: SessionState; readonly message: string }
  /** Something failed that should not have: the job fails, and the queue has it begun anew. */
  | { readonly type: 'broke'; readonly error: unknown };

/** Time that sends voided by a logout are given to settle; what is left over settles with the next run. */
const voidedSendsMs = 3_000;

/** What a disk that hangs may cost the end of a run: nobody else can take the session before. */
const diskMs = 5_000;

/** A thread that is needed later than this is not worth its memory until then. */
const preloadWithinMs = 2_000;

/** What becomes of the job: completed, given back for another to take, or not ours to touch. */
export type RunResult = 'ended' | 'handed-over' | 'lost';

/**
 * One run of a session: claims it, keeps an incarnation of the session worker on a browser alive, restarts
 * what breaks, and ends in order. Nothing of it is left when {@link execute} settles.
 */
export class SessionRun {
  readonly #options: RunOptions;
  readonly #ending = new AbortController();
  readonly #force = new AbortController();
  /** The run shall end, or is lost: no further step of its life. */
  readonly #over: AbortSignal;
  /** No grace periods: somebody is impatient, or the run is lost. */
  readonly #forced: AbortSignal;
  readonly #browser: SessionBrowser;
  readonly #backup: CredentialsBackup;
  readonly #policy: RestartPolicy;
  readonly #publisher: RunPublisher;
  readonly #heart: HeartbeatSender;
  readonly #availability = new Availability();
  readonly #commands: SessionCommands;
  #account: Account | null = null;
  #incarnation: Incarnation | null = null;
  #lastError: string | null = null;
  #refencing: Promise<void> | null = null;
  #browserFailure: string | null = null;

  constructor(options: RunOptions) {
    const { config, redis, session, lease, token, startId, supervisorId, log } = options;
    this.#options = options;
    this.#over = AbortSignal.any([this.#ending.signal, lease.lost]);
    this.#forced = AbortSignal.any([this.#force.signal, lease.lost]);
    const snapshots = new SnapshotStore({
      ...{ redis, session, keys: config.credentialsKeys },
      onBound: options.recorder.onBound,
    });
    this.#browser = new SessionBrowser({
      ...{ config, session, lease, snapshots, forced: this.#forced, log },
      epoch: () => this.#publisher.fence.epoch,
    });
    this.#backup = new CredentialsBackup({
      redis,
      session,
      snapshots,
      timing: config.timing,
      epoch: () => this.#publisher.fence.epoch,
      source: () => this.#browser.login,
      lost: lease.lost,
      log,
    });
    this.#policy = new RestartPolicy({ ...config.timing, restartsMax: config.restartsMax });
    this.#publisher = new RunPublisher({
      redis,
      lease,
      session,
      token,
      startId,
      heartbeatTtlMs: config.timing.heartbeatTtlMs,
      facts: {
        auth_dir: config.authDir,
        chrome_executable: config.chromeExecutable,
        headless: config.headless,
        supervisor: supervisorId,
      },
      onEpoch: () => this.#inBackground(this.#browser.noteEpoch()),
      onBound: options.recorder.onBound,
      log,
    });
    this.#heart = new HeartbeatSender({
      redis,
      session,
      token,
      timing: config.timing,
      epoch: () => this.#publisher.fence.epoch,
      onIntent: (intent) => this.#end({ type: 'intent', intent }),
      onStranger: () => this.#inBackground(this.#refence()),
      onStateLost: () => this.#inBackground(this.#refence()),
    });
    this.#commands = new SessionCommands({
      redis,
      session,
      timing: config.timing,
      availability: this.#availability,
      fence: () => this.#publisher.fence,
      wipedEpoch: () => this.#browser.wipedEpoch,
      profileId: () => this.#browser.profileId,
      wid: () => this.#account?.wid ?? null,
      actUntil: () => Date.now() + config.timing.giveUpMs - lease.ageMs,
      recorder: options.recorder,
      log,
    });
  }

  /** The browser that there is now. */
  get browser(): SessionBrowser['facts'] {
    return this.#browser.facts;
  }

  /** Why the newest browser did not start; null: it did. */
  get browserFailure(): string | null {
    return this.#browserFailure;
  }

  /** Asks the run to stop here and to go on elsewhere. */
  handOver(): void {
    this.#end({ type: 'hand-over' });
  }

  /** Shortens every grace period of the stop to nothing. */
  force(): void {
    this.#force.abort();
  }

  /** Somebody wrote an intent: look now instead of with the next heartbeat. */
  lookForIntent(): void {
    this.#inBackground(this.#heart.beat());
  }

  async execute(): Promise<RunResult> {
    try {
      const note = await this.#browser.readNote();
      const claim = await this.#publisher.claim(note?.epoch ?? 0);
      if (claim.type === 'already-ended') return 'ended';
      this.#browser.wipedEpoch = claim.wipedEpoch;
      this.#account = claim.previous?.account ?? note?.account ?? null;
      await this.#publish('starting');
      this.#heart.start();
      this.#inBackground(this.#backup.announce(this.#over));
      this.#inBackground(this.#commands.start());
      await this.#keepAlive();
      return await this.#finish();
    } catch (error) {
      const { lost } = this.#options.lease;
      if (!(error instanceof RunLostError) && !lost.aborted) throw error;
      this.#options.log.warn({ reason: lost.aborted ? lost.reason : messageOf(error) }, 'run lost');
      return 'lost';
    } finally {
      this.#end({ type: 'hand-over' });
      this.#heart.stop();
      await this.#backup.disarm();
      // Whatever happened above, nothing of this run outlives it.
      await Promise.all([this.#incarnation?.terminate(), this.#browser.kill()]);
      await withDeadline(this.#browser.written(), diskMs, 'the disk').catch(() => undefined);
      // Takes nothing from now on; how it closes depends on Redis, and a lost run must not wait for that.
      const closed = this.#commands.close();
      if (!this.#options.lease.lost.aborted) await closed;
    }
  }

  /** One incarnation after another, until the run shall end. */
  async #keepAlive(): Promise<void> {
    const { threads } = this.#options;
    for (;;) {
      const exit = await this.#live();
      if (exit === null) return;
      if ('why' in exit) {
        await this.#recycle(exit);
        if (this.#over.aborted) return;
        continue;
      }
      this.#options.recorder.incarnationEnds(exit.reason);
      await this.#backup.disarm();
      const decision = this.#policy.decide(exit, this.#incarnation?.healthyMs ?? 0);
      if (decision.type === 'end') return this.#end({ ...decision, type: 'gave-up' });

      const { delayMs, rung } = decision;
      // It loads its modules while the old one is torn down and the delay passes.
      if (delayMs < preloadWithinMs) threads.load();
      this.#lastError = exit.message;
      this.#options.log.warn(
        { reason: exit.reason, lastError: exit.message, delayMs, rung },
        'restarting session worker',
      );
      this.#availability.update(null, 'disconnected', restOf(exit, delayMs));
      const { wipesProfile, doubtsProfile } = exitPolicy(exit.reason);
      const wiped = wipesProfile ? await this.#markWiped() : null;
      // The old thread may have written until now: with the fence moves on what ends with the account.
      await this.#publish('disconnected', wiped !== null);
      await this.#incarnation?.terminate();
      if (wiped !== null) await this.#browser.wipe(wiped);
      if (doubtsProfile) await this.#browser.doubtLogin();
      // The pages of the old thread are closed, or a browser that is not wanted any more, while the delay passes.
      await Promise.all([this.#browser.clear(rung), pause(delayMs, this.#over)]);
      if (this.#over.aborted) return;
      this.#publisher.restarts++;
      this.#options.recorder.restarts(exit.reason);
      await this.#publish('starting');
    }
  }

  /**
   * A planned restart on a new browser. Nothing is broken, so nothing is counted and there is no `last_error`. The old
   * thread stops while the fence is still its own: the last event that it has heard of is written.
   */
  async #recycle({ why, message }: Recycling): Promise<void> {
    const { threads, recorder, log, config } = this.#options;
    log.info({ why, message }, 'replacing the browser');
    recorder.recycles(why);
    this.#availability.update(null, 'starting');
    threads.load();
    await this.#backup.disarm();
    await this.#incarnation?.stop(config.timing.threadStopGraceMs, this.#forced);
    await this.#publish('starting');
    await this.#browser.clear('browser');
  }

  /** Runs one incarnation; resolves to why it is over, or to null when the run shall end first. */
  async #live(): Promise<IncarnationExit | Recycling | null> {
    this.#incarnation = null;
    this.#availability.update(null, 'starting');
    try {
      const { isLinked, account } = await this.#browser.prepare(this.#over);
      this.#account = account;
      // The thread loads its modules while the browser starts.
      this.#incarnation = this.#startIncarnation(isLinked);
      this.#incarnation.attach(await this.#browser.open(this.#ending.signal));
      this.#browserFailure = null;
    } catch (error) {
      if (this.#over.aborted) return null;
      const code = error instanceof HoldlineError ? error.code : '';
      const reason = isExitReason(code) ? code : 'browser_failed_to_start';
      if (reason === 'browser_failed_to_start') this.#browserFailure = messageOf(error);
      return { reason, message: messageOf(error) };
    }
    const life = new AbortController();
    const { over, commands } = this.#incarnation;
    const due = this.#untilRecycled(commands, AbortSignal.any([life.signal, this.#over]));
    try {
      return await unlessAborted(Promise.race([over, due]), this.#over);
    } catch (error) {
      if (!this.#over.aborted) throw error;
      return null;
    } finally {
      life.abort();
    }
  }

  #untilRecycled(commands: ThreadRpc, signal: AbortSignal): Promise<Recycling | null> {
    const { config, redis, session, readMemory, log } = this.#options;
    const { timing, recycling: limits } = config;
    return untilDue(
      {
        ...{ limits, timing, readMemory, log },
        browser: () => this.#browser.facts,
        isReady: () => this.#availability.in('ready') !== null,
        isQuiet: async () => (await isQuiet(redis, session, timing.recycleQuietMs)) && !commands.isBusy,
      },
      signal,
    );
  }

  #startIncarnation(isLinked: boolean): Incarnation {
    const { config, threads, redisUrl, recorder } = this.#options;
    recorder.incarnationStarts();
    const incarnation = new Incarnation({
      thread: threads.take(),
      timing: config.timing,
      data: {
        run: this.#publisher.facts,
        lastError: this.#lastError,
        account: this.#account,
        isLinked,
        loginStorage: this.#browser.loginStorage,
        redisUrl,
        webVersion: config.webVersion,
        deviceName: config.deviceName,
        logLevel: config.logLevel,
        timing: config.timing,
      },
      onState: (state, account) => this.#onState(state, account),
      // A late write of an earlier incarnation is refused as well, and means nothing.
      onFenced: (fence) => {
        if (formatFence(fence) === formatFence(this.#publisher.fence)) this.#inBackground(this.#refence());
      },
      onBound: recorder.onBound,
      onLogin: (storage, account) => this.#inBackground(this.#keepLogin(incarnation, storage, account)),
    });
    return incarnation;
  }

  async #keepLogin(incarnation: Incarnation, storage: LoginStorage, account: Account | null): Promise<void> {
    await this.#browser.keepLogin(storage, account);
    if (account === null) return;
    // From `ready` on not even the loss of this host costs a new scan.
    await this.#backup.takeNow();
    incarnation.loginKept();
  }

  /** Ends the run as `#ending` says: at once where it is lost, else thread, browser, state, in this order. */
  async #finish(): Promise<RunResult> {
    const { lease, log } = this.#options;
    const ending = this.#ending.signal.reason as Ending | undefined;
    if (lease.lost.aborted || ending === undefined) throw new RunLostError(String(lease.lost.reason));
    if (ending.type === 'broke') {
      this.#heart.stop();
      await this.#stepDown();
      throw ending.error;
    }
    log.info({ ending: ending.type === 'intent' ? ending.intent.kind : ending.type }, 'run ends');

    this.#availability.update(null, 'stopped');
    const isWorthKeeping = await this.#backup.disarm();
    const isLogout = ending.type === 'intent' && ending.intent.kind === 'logout';
    const unlinked = isLogout && (await this.#incarnation?.logout()) === true;
    await this.#incarnation?.stop(this.#options.config.timing.threadStopGraceMs, this.#forced);
    if (isLogout) {
      await this.#browser.wipe(await this.#markWiped());
      await this.#commands.settleVoided(voidedSendsMs);
    } else {
      await this.#browser.stop();
      if (isWorthKeeping) await this.#backup.takeLast(this.#forced);
    }
    await this.#commands.close();

    this.#heart.stop();
    switch (ending.type) {
      case 'hand-over':
        await this.#stepDown();
        return 'handed-over';
      case 'gave-up':
        await this.#browser.noteUnwanted();
        this.#lastError = ending.message;
        await this.#publisher.end(this.#change(ending.state), null, false);
        return 'ended';
      case 'intent':
        await this.#browser.noteUnwanted();
        this.#lastError = null;
        await this.#publisher.end(this.#change('stopped'), ending.intent, unlinked);
        return 'ended';
      default:
        return ending satisfies never;
    }
  }

  #onState(state: SessionState, account: Account | null): void {
    // A further code is the same state, every 20 s.
    const level = state === this.#availability.state ? 'debug' : 'info';
    this.#options.log[level]({ state, ...this.#publisher.fence }, 'session state');
    this.#options.recorder.reaches(state);
    if (state === 'qr' || state === 'authenticated' || state === 'ready') this.#lastError = null;
    if (state === 'qr') this.#inBackground(this.#browser.noteUnlinked());
    // Now the machine has time for it.
    if (state === 'qr' || state === 'ready') this.#options.threads.load();
    if (state === 'ready') {
      this.#account = account;
      this.#inBackground(this.#browser.noteLinked(account));
      this.#inBackground(this.#backup.arm());
    }
    this.#availability.update(this.#incarnation, state);
  }

  /**
   * The fence in Redis is not ours, or the state has gone: claim again under a lease that holds, else the run is lost; and
   * write the state again.
   */
  #refence(): Promise<void> {
    this.#refencing ??= this.#publisher
      .reclaim()
      .then(async () => {
        const { state } = this.#availability;
        // Before a thread's first word and after its last the state is the supervisor's own.
        if (this.#availability.in(state) === null) await this.#publish(state);
        this.#incarnation?.refence(this.#publisher.fence);
      })
      .catch((error) => this.#options.lease.forfeit(messageOf(error)))
      .finally(() => {
        this.#refencing = null;
      });
    return this.#refencing;
  }

  /** Nobody stands behind the state from now on; where Redis does not take that in time, the heartbeat lapses. */
  async #stepDown(): Promise<void> {
    const { redis, session } = this.#options;
    const steppedDown = stepDown(redis, session, this.#publisher.fence.epoch);
    await withDeadline(steppedDown, 1_000, 'redis').catch(() => undefined);
  }

  /** The login is void, here and wherever an older copy of its profile turns up. */
  async #markWiped(): Promise<number> {
    const wiped = await this.#publisher.markWiped();
    this.#account = null;
    return wiped;
  }

  #publish(state: SessionState, endsAccount = false): Promise<void> {
    return this.#publisher.publish(this.#change(state), endsAccount);
  }

  #change(state: SessionState): StateChange {
    return { state, lastError: this.#lastError, account: this.#account };
  }

  /** Each sees itself to what Redis or the disk refuses. What fails all the same ends the run: half of one is none. */
  #inBackground(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (this.#over.aborted) return;
      this.#options.log.error({ err: error }, 'a part of the run failed; beginning the run anew');
      this.#end({ type: 'broke', error });
    });
  }

  #end(ending: Ending): void {
    if (!this.#ending.signal.aborted) this.#ending.abort(ending);
  }
}

/** For whoever waits: what the pause before the next try is for. */
function restOf({ reason, message }: IncarnationExit, delayMs: number): RestartDelay {
  const code = reason === 'incompatible_page' ? 'not_supported_by_page' : 'session_not_ready';
  const seconds = Math.ceil(delayMs / 1_000);
  return {
    until: performance.now() + delayMs,
    code,
    message: `${message}; the next try is ${seconds} s after this failure`,
  };
}
