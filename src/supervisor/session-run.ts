import { messageOf } from '../contract/errors.js';
import { exitPolicy, type IncarnationExit } from '../contract/exit-reasons.js';
import type { Intent } from '../contract/intent.js';
import { type Account, formatFence, type SessionState, type StateChange } from '../contract/status.js';
import type { Config } from '../platform/config.js';
import { pause, unlessAborted, withDeadline } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import type { Redis } from '../platform/redis.js';
import { stepDown } from '../platform/session-store.js';
import { type Browser, launchBrowser } from './browser.js';
import { Heart } from './heart.js';
import { Incarnation } from './incarnation.js';
import type { Lease } from './lease.js';
import { Profile, type ProfileNote } from './profile.js';
import { RestartPolicy } from './restart-policy.js';
import { RunLostError, RunPublisher } from './run-publisher.js';

export interface RunOptions {
  readonly session: string;
  readonly startId: string;
  readonly token: string;
  readonly lease: Lease;
  readonly supervisorId: string;
  readonly threadEntry: URL;
  readonly redis: Redis;
  readonly redisUrl: string;
  readonly config: Config;
  readonly log: Logger;
}

/** Why a run stops running here; a lost lease stops it without being asked. */
type Ending =
  | { readonly type: 'intent'; readonly intent: Intent }
  | { readonly type: 'hand-over' }
  | { readonly type: 'gave-up'; readonly state: SessionState; readonly message: string };

/** Time in which a browser must close the pages of an earlier thread to be used again. */
const pageCloseMs = 2_000;

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
  readonly #profile: Profile;
  readonly #policy: RestartPolicy;
  readonly #publisher: RunPublisher;
  readonly #heart: Heart;
  /** null: the profile has to be prepared first. */
  #note: ProfileNote | null = null;
  #wipedEpoch = 0;
  #account: Account | null = null;
  #browser: Browser | null = null;
  #incarnation: Incarnation | null = null;
  #lastError: string | null = null;
  #loginFreshUntil = 0;
  #refencing: Promise<void> | null = null;

  constructor(options: RunOptions) {
    const { config, redis, session, lease, token, startId, supervisorId, log } = options;
    this.#options = options;
    this.#over = AbortSignal.any([this.#ending.signal, lease.lost]);
    this.#forced = AbortSignal.any([this.#force.signal, lease.lost]);
    this.#profile = new Profile(config.authDir, session);
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
      log,
    });
    this.#heart = new Heart({
      redis,
      session,
      timing: config.timing,
      epoch: () => this.#publisher.fence.epoch,
      onIntent: (intent) => this.#end({ type: 'intent', intent }),
      onStranger: () => void this.#refence(),
    });
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
    void this.#heart.beat();
  }

  async execute(): Promise<RunResult> {
    try {
      const claim = await this.#publisher.claim();
      if (claim.type === 'already-ended') return 'ended';
      this.#wipedEpoch = claim.wipedEpoch;
      this.#account = claim.previous?.account ?? null;
      await this.#publish('starting');
      this.#heart.start();
      await this.#keepAlive();
      return await this.#finish();
    } catch (error) {
      const { lost } = this.#options.lease;
      if (!(error instanceof RunLostError) && !lost.aborted) throw error;
      this.#options.log.warn({ reason: lost.aborted ? lost.reason : messageOf(error) }, 'run lost');
      return 'lost';
    } finally {
      this.#heart.stop();
      // Whatever happened above, nothing of this run outlives it.
      await Promise.all([this.#incarnation?.terminate(), this.#browser?.kill()]);
    }
  }

  /** One incarnation after another, until the run shall end. */
  async #keepAlive(): Promise<void> {
    let rung: 'thread' | 'browser' = 'browser';
    for (;;) {
      const exit = await this.#live(rung);
      if (exit === null) return;
      const decision = this.#policy.decide(exit, this.#incarnation?.healthyMs ?? 0);
      if (decision.type === 'end') return this.#end({ ...decision, type: 'gave-up' });

      const { delayMs } = decision;
      rung = decision.rung;
      this.#lastError = exit.message;
      this.#options.log.warn(
        { reason: exit.reason, lastError: exit.message, delayMs, rung },
        'restarting session worker',
      );
      await this.#publish('disconnected');
      await this.#incarnation?.terminate();
      if (exitPolicy(exit.reason).wipesProfile) await this.#wipe();
      await pause(delayMs, this.#over);
      if (this.#over.aborted) return;
      this.#publisher.restarts++;
      await this.#publish('starting');
    }
  }

  /** Runs one incarnation; resolves to why it ended, or to null when the run shall end first. */
  async #live(rung: 'thread' | 'browser'): Promise<IncarnationExit | null> {
    const { config, threadEntry, redisUrl } = this.#options;
    try {
      this.#note ??= await this.#profile.prepare(this.#wipedEpoch);
    } catch (error) {
      const message = `the profile directory ${this.#profile.dir} cannot be used: ${messageOf(error)}`;
      return { reason: 'profile_unusable', message };
    }
    this.#account = this.#note.account;
    // The thread loads its modules while the browser starts.
    const incarnation = new Incarnation({
      threadEntry,
      timing: config.timing,
      data: {
        run: this.#publisher.facts,
        lastError: this.#lastError,
        account: this.#account,
        isLinked: this.#note.isLinked,
        redisUrl,
        webVersion: config.webVersion,
        logLevel: config.logLevel,
        timing: config.timing,
      },
      onState: (state, account) => void this.#onState(state, account),
      // A late write of an earlier incarnation is refused as well, and means nothing.
      onFenced: (fence) =>
        void (formatFence(fence) === formatFence(this.#publisher.fence) && this.#refence()),
    });
    this.#incarnation = incarnation;
    try {
      incarnation.attach(await this.#browserFor(rung));
    } catch (error) {
      if (this.#over.aborted) return null;
      return { reason: 'browser_failed_to_start', message: messageOf(error) };
    }
    return unlessAborted(incarnation.over, this.#over).catch(() => null);
  }

  /** The living browser with all old pages closed, or a new one on the same profile. */
  async #browserFor(rung: 'thread' | 'browser'): Promise<Browser> {
    const { config, lease } = this.#options;
    if (rung === 'thread' && this.#browser?.isAlive && (await this.#browser.closePages(pageCloseMs)))
      return this.#browser;
    await this.#stopBrowser();
    await this.#profile.unlock();
    this.#browser = await launchBrowser({
      executable: config.chromeExecutable,
      profileDir: this.#profile.dir,
      headless: config.headless,
      extraArgs: config.chromeArgs,
      environment: config.browserEnvironment,
      timing: config.timing,
      lease,
      abandon: this.#ending.signal,
    });
    return this.#browser;
  }

  /** Ends the run as `#ending` says: at once where it is lost, else thread, browser, state, in this order. */
  async #finish(): Promise<RunResult> {
    const { session, redis, lease, log } = this.#options;
    const ending = this.#ending.signal.reason as Ending | undefined;
    if (lease.lost.aborted || ending === undefined) throw new RunLostError(String(lease.lost.reason));
    log.info({ ending: ending.type === 'intent' ? ending.intent.kind : ending.type }, 'run ends');

    const isLogout = ending.type === 'intent' && ending.intent.kind === 'logout';
    const unlinked = isLogout && (await this.#incarnation?.logout()) === true;
    await this.#incarnation?.stop(this.#options.config.timing.threadStopGraceMs, this.#forced);
    if (isLogout) await this.#wipe();
    else await this.#stopBrowser();

    this.#heart.stop();
    switch (ending.type) {
      case 'hand-over':
        await withDeadline(stepDown(redis, session, this.#publisher.fence.epoch), 1_000, 'redis').catch(
          () => {},
        );
        return 'handed-over';
      case 'gave-up':
        this.#lastError = ending.message;
        await this.#publisher.end(this.#change(ending.state), null, false);
        return 'ended';
      case 'intent':
        this.#lastError = null;
        await this.#publisher.end(this.#change('stopped'), ending.intent, unlinked);
        return 'ended';
      default:
        return ending satisfies never;
    }
  }

  async #onState(state: SessionState, account: Account | null): Promise<void> {
    const { log, config } = this.#options;
    log.info({ state, ...this.#publisher.fence }, 'session state');
    if (state === 'qr' || state === 'authenticated') this.#lastError = null;
    if (state !== 'ready') return;
    this.#lastError = null;
    if (this.#note === null) return;
    if (!this.#note.isLinked) this.#loginFreshUntil = performance.now() + config.timing.loginSettleMs;
    this.#account = account;
    this.#note = { ...this.#note, isLinked: true, account };
    await this.#profile
      .writeNote(this.#note)
      .catch((error) => log.error({ err: error }, 'profile note not written'));
  }

  /** The fence in Redis is not ours: claim again under a lease that holds, else the run is lost. */
  #refence(): Promise<void> {
    this.#refencing ??= this.#publisher
      .reclaim()
      .then(
        () => this.#incarnation?.refence(this.#publisher.fence),
        (error) => this.#options.lease.forfeit(messageOf(error)),
      )
      .finally(() => {
        this.#refencing = null;
      });
    return this.#refencing;
  }

  /** The login is void: its profile goes, here and wherever an older copy of it turns up. */
  async #wipe(): Promise<void> {
    await this.#publisher.markWiped();
    await this.#browser?.kill();
    this.#note = null;
    this.#account = null;
    this.#wipedEpoch = this.#publisher.fence.epoch;
    // Where this fails, the mark voids the profile all the same.
    await this.#profile
      .remove()
      .catch((error) => this.#options.log.error({ err: error }, 'profile not removed'));
  }

  /** Gracefully while a fresh login is on its way to the disk. */
  async #stopBrowser(): Promise<void> {
    const { browserTermGraceMs, browserFlushGraceMs } = this.#options.config.timing;
    const isFresh = performance.now() < this.#loginFreshUntil;
    await this.#browser?.stop(isFresh ? browserFlushGraceMs : browserTermGraceMs, this.#forced);
  }

  #publish(state: SessionState): Promise<void> {
    return this.#publisher.publish(this.#change(state));
  }

  #change(state: SessionState): StateChange {
    return { state, lastError: this.#lastError, account: this.#account };
  }

  #end(ending: Ending): void {
    if (!this.#ending.signal.aborted) this.#ending.abort(ending);
  }
}
