import { messageOf } from '../contract/errors.js';
import { sessionKeys } from '../contract/keys.js';
import { isStartSettled } from '../contract/state-transitions.js';
import type { Account, SessionState } from '../contract/status.js';
import { statusFactsOf } from '../platform/config/config.js';
import { firstAbort, withDeadline } from '../platform/deadline.js';
import { SessionBrowser } from './browser/session-browser.js';
import { Availability } from './commands/availability.js';
import { SessionCommands, type SessionCommandsOptions } from './commands/session-commands.js';
import { CredentialsBackup } from './credentials/credentials-backup.js';
import { SnapshotStore } from './credentials/snapshot-store.js';
import { HeartbeatSender } from './heartbeat.js';
import { IncarnationLoop, type RunContext } from './incarnation-loop.js';
import type { Lease } from './lease.js';
import { type Ending, endInOrder } from './run-ending.js';
import { RunLostError, RunPublisher } from './run-publisher.js';

export interface RunOptions extends RunContext, Pick<SessionCommandsOptions, 'markers' | 'pace'> {
  /** The id of the start that began this run. */
  readonly startId: string;
  /** The token of the job's lock. */
  readonly token: string;
  readonly lease: Lease;
  readonly supervisorId: string;
  /** The start is over: it has a first result, or the first incarnation failed. May be called again. */
  readonly onStarted: () => void;
}

/** Max wait for a disk that hangs at the end of a run: no other supervisor can take the session before. */
const diskMs = 5_000;

/** What happens to the job: it completes, goes back to the queue, or belongs to another run and must not be touched. */
export type RunResult = 'ended' | 'handed-over' | 'lost';

/**
 * One run of a session, from its claim to its end. It connects the parts: incarnation-loop.ts keeps the session worker
 * alive, run-ending.ts ends the run. Nothing of it is left when {@link execute} settles.
 */
export class SessionRun {
  readonly #options: RunOptions;
  /** Aborts with an {@link Ending} as its reason. */
  readonly #ending = new AbortController();
  readonly #force = new AbortController();
  /** The run was asked to end, or is lost: no further step of its life. */
  readonly #over: AbortSignal;
  /** No grace periods: {@link force} was called, or the run is lost. */
  readonly #forced: AbortSignal;
  readonly #browser: SessionBrowser;
  readonly #backup: CredentialsBackup;
  readonly #publisher: RunPublisher;
  readonly #heartbeat: HeartbeatSender;
  readonly #availability = new Availability();
  readonly #commands: SessionCommands;
  readonly #loop: IncarnationLoop;
  #refencing: Promise<void> | null = null;

  constructor(options: RunOptions) {
    const { config, configuration, redis, session, lease, token, startId, recorder, log } = options;
    const { timing } = config;
    const epoch = () => this.#publisher.fence.epoch;
    const inBackground = (work: Promise<unknown>) => this.#inBackground(work);
    this.#options = options;
    this.#over = firstAbort(this.#ending.signal, lease.lost);
    this.#forced = firstAbort(this.#force.signal, lease.lost);
    const snapshots = new SnapshotStore({
      ...{ redis, session, keys: config.credentialsKeys },
      onBound: recorder.onBound,
    });
    const record = () => configuration.record;
    this.#browser = new SessionBrowser({
      ...{ config, session, record, lease, snapshots, epoch, log },
      proxy: () => configuration.proxy,
      forced: this.#forced,
    });
    this.#backup = new CredentialsBackup({
      ...{ redis, session, snapshots, timing, epoch, log },
      source: () => this.#browser.login,
      lost: lease.lost,
    });
    this.#publisher = new RunPublisher({
      ...{ redis, lease, session, token, startId, record, log },
      heartbeatTtlMs: timing.heartbeatTtlMs,
      facts: { ...statusFactsOf(config), supervisor: options.supervisorId },
      onEpoch: () => inBackground(this.#browser.noteRun()),
      onBound: recorder.onBound,
    });
    this.#heartbeat = new HeartbeatSender({
      ...{ redis, session, token, timing, epoch },
      onIntent: (intent) => this.#end({ type: 'intent', intent }),
      onInspection: () => this.#readConfiguration(),
      onNotOurs: () => inBackground(this.#refence()),
      onStateLost: () => inBackground(this.#refence()),
    });
    this.#commands = new SessionCommands({
      ...{ redis, markers: options.markers, pace: options.pace, session, timing, recorder, log },
      ...{ availability: this.#availability, fence: () => this.#publisher.fence },
      ...{ wipedEpoch: () => this.#browser.wipedEpoch, profileId: () => this.#browser.profileId },
      wid: () => this.#publisher.account?.wid ?? null,
      ...{ lock: { key: sessionKeys(session).lock, token }, isHeld: () => lease.isHeld },
      actUntil: () => Date.now() + timing.giveUpMs - lease.ageMs,
    });
    this.#loop = new IncarnationLoop({
      ...options,
      ...{ browser: this.#browser, backup: this.#backup, publisher: this.#publisher },
      availability: this.#availability,
      ending: this.#ending.signal,
      over: this.#over,
      forced: this.#forced,
      onState: (state, account) => this.#onState(state, account),
      onFailed: options.onStarted,
      onFenced: () => inBackground(this.#refence()),
      inBackground,
    });
  }

  /** Of the claim; 0 before it. */
  get epoch(): number {
    return this.#publisher.fence.epoch;
  }

  /** The living browser; null: there is none. */
  get browser(): SessionBrowser['running'] {
    return this.#browser.running;
  }

  /** Why the newest browser did not start; null: it did. */
  get browserFailure(): string | null {
    return this.#loop.browserFailure;
  }

  /** Asks the run to stop here and to continue on another supervisor. */
  handOver(): void {
    this.#end({ type: 'hand-over' });
  }

  /** Ends every grace period of the stop. */
  force(): void {
    this.#force.abort();
  }

  /** An intent may have been stored, or the configuration changed: reads both now, not with a later heartbeat. */
  checkForIntent(): void {
    this.#inBackground(this.#heartbeat.beat());
    this.#readConfiguration();
  }

  #readConfiguration(): void {
    const { configuration } = this.#options;
    this.#inBackground(configuration.read(this.#over).then(() => this.#browser.noteRun()));
  }

  /** Runs the session until the run ends. Rejects only after an unexpected failure, when everything has stopped. */
  async execute(): Promise<RunResult> {
    const { lease, log } = this.#options;
    try {
      const note = await this.#browser.readNote();
      const claim = await this.#publisher.claim(note?.epoch ?? 0);
      if (claim.type === 'already-ended') return 'ended';
      this.#browser.wipedEpoch = claim.wipedEpoch;
      this.#publisher.account = claim.previous?.account ?? note?.account ?? null;
      await this.#publisher.publish('starting');
      this.#heartbeat.start();
      this.#inBackground(this.#backup.publishInitialStatus(this.#over));
      this.#commands.start();
      const decision = await this.#loop.run();
      if (decision !== null) this.#end({ type: 'gave-up', decision });
      return await this.#finish();
    } catch (error) {
      const { lost } = lease;
      if (!(error instanceof RunLostError) && !lost.aborted) throw error;
      const reason = lost.aborted ? lost.reason : messageOf(error);
      log.warn({ reason }, 'lost the session; another supervisor may run it now');
      return 'lost';
    } finally {
      this.#end({ type: 'hand-over' });
      this.#heartbeat.stop();
      await this.#backup.stop();
      // Nothing of this run may outlive it, not even after an error.
      await Promise.all([this.#loop.incarnation?.terminate(), this.#browser.kill()]);
      await withDeadline(this.#browser.written(), diskMs, 'the disk').catch(() => undefined);
      // Takes no commands from now on. Closing waits for Redis, which a lost run must not do.
      const closed = this.#commands.close();
      if (!lease.lost.aborted) await closed;
    }
  }

  /** Throws {@link RunLostError} when the lease is lost. */
  #finish(): Promise<RunResult> {
    const { lease, config, log } = this.#options;
    const ending = this.#ending.signal.reason as Ending | undefined;
    if (lease.lost.aborted || ending === undefined) throw new RunLostError(String(lease.lost.reason));
    return endInOrder(ending, {
      incarnation: this.#loop.incarnation,
      ...{ browser: this.#browser, backup: this.#backup, commands: this.#commands },
      ...{ publisher: this.#publisher, heartbeat: this.#heartbeat, availability: this.#availability },
      ...{ timing: config.timing, forced: this.#forced, log },
    });
  }

  #onState(state: SessionState, account: Account | null): void {
    const { recorder, threads, onStarted } = this.#options;
    recorder.recordState(state);
    if (isStartSettled(state)) onStarted();
    this.#publisher.onState(state, account);
    if (state === 'qr') this.#inBackground(this.#browser.noteUnlinked());
    // The start is over, so the machine has time to load the next thread.
    if (state === 'qr' || state === 'ready') threads.load();
    if (state === 'ready') {
      this.#inBackground(this.#browser.noteLinked(account));
      this.#inBackground(this.#backup.start());
    }
    this.#availability.update(this.#loop.incarnation, state);
  }

  /**
   * Redis has another fence than this run, or has lost its state. If the lease holds, claims the session and writes the state
   * again. Otherwise the run is lost.
   */
  #refence(): Promise<void> {
    this.#refencing ??= this.#publisher
      .reclaim()
      .then(async () => {
        const { state } = this.#availability;
        // While there is no incarnation to write the state, the supervisor writes it.
        if (this.#availability.in(state) === null) await this.#publisher.publish(state);
        this.#loop.incarnation?.refence(this.#publisher.fence);
      })
      .catch((error) => this.#options.lease.forfeit(messageOf(error)))
      .finally(() => {
        this.#refencing = null;
      });
    return this.#refencing;
  }

  /** Background work retries what Redis or the disk refuses. If it still fails, the run ends and starts anew. */
  #inBackground(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (this.#over.aborted) return;
      this.#options.log.error({ err: error }, 'a background task of the run failed; starting the run again');
      this.#end({ type: 'broke', error });
    });
  }

  /** The first ending counts. */
  #end(ending: Ending): void {
    if (!this.#ending.signal.aborted) this.#ending.abort(ending);
  }
}
