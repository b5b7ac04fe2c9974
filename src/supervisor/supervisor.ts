import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { type Job, type Queue, WaitingError } from 'bullmq';
import { startJobSchema } from '../contract/intent.js';
import { intentChannel } from '../contract/keys.js';
import { isRunJobId, sessionOfJobId, sessionsQueue } from '../contract/names.js';
import { collectGarbage } from '../platform/collect-garbage.js';
import type { Config } from '../platform/config/config.js';
import { pause, withDeadline } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import { openQueue } from '../platform/queues/job-queue.js';
import { connectPatiently, disconnect, type Redis } from '../platform/redis/connection.js';
import { keepSubscribed } from '../platform/redis/subscription.js';
import { redisRetryMs } from '../platform/retry.js';
import { SharedPace, sentPerS } from '../platform/session-pace.js';
import { renewLock } from '../platform/store/run-store.js';
import { ActiveRuns } from './active-runs.js';
import { type BrowserMemory, readBrowserMemory } from './browser/browser-memory.js';
import { browserVersion } from './browser/browser-version.js';
import { Lease } from './lease.js';
import { RunRecorder } from './metrics/run-recorder.js';
import { SupervisorMetrics } from './metrics/supervisor-metrics.js';
import { readinessProblems } from './probe/readiness.js';
import { QueueMarkers } from './queue-markers.js';
import { LostSessions } from './recover-lost-sessions.js';
import { Registration } from './registration.js';
import { requeueInterruptedRuns } from './requeue-interrupted-runs.js';
import { RunIntake } from './run-intake.js';
import { SessionConfiguration } from './session-configuration.js';
import { type RunOptions, SessionRun } from './session-run.js';
import { WarmThread } from './warm-thread.js';

export interface SupervisorOptions {
  readonly config: Config;
  readonly redisUrl: string;
  readonly log: Logger;
  /** The session worker's entry, known by URL only. */
  readonly threadEntry: URL;
  /** No other supervisor can reach this Redis: runs that a killed one left are requeued at once. */
  readonly isAlone: boolean;
  /** Reads the memory of a browser's process group; from /proc by default. */
  readonly readMemory?: (groupId: number) => Promise<BrowserMemory | null>;
}

/** Number of registrations from one check of the queue of starts to the next. */
const registrationsBetweenChecks = 10;

/** By then the first start of a session has succeeded or failed. */
const garbageCollectionDelayMs = 30_000;

/**
 * Takes the runs of sessions from the queue and keeps each one running: its job is active while the session runs. BullMQ
 * hands out jobs and finds those whose owner died. The lock of a job is held by its {@link Lease}, because
 * BullMQ's own renewal let one worker run a job twice at once.
 */
export class Supervisor {
  readonly id: string;
  readonly metrics: SupervisorMetrics;
  /** The connection for commands. */
  readonly redis: Redis;
  readonly #options: SupervisorOptions;
  readonly #subscriber: Redis;
  readonly #queue: Queue;
  readonly #markers: QueueMarkers;
  readonly #intake: RunIntake;
  readonly #threads: WarmThread;
  readonly #runs = new ActiveRuns(() => void this.#registration.renew());
  readonly #pace = new SharedPace(sentPerS);
  readonly #lostSessions: LostSessions;
  readonly #readMemory: RunOptions['readMemory'];
  readonly #registration: Registration;
  readonly #closing = new AbortController();
  #registrations = 0;

  constructor(options: SupervisorOptions) {
    const { config, log, redisUrl } = options;
    const { timing } = config;
    // Each session that is looked for adds one.
    setMaxListeners(0, this.#closing.signal);
    this.#options = options;
    this.id = `${config.hostName}-${process.pid}-${randomBytes(2).toString('hex')}`;
    this.redis = connectPatiently(redisUrl, timing, log);
    this.#threads = new WarmThread(options.threadEntry, timing);
    this.#readMemory = options.readMemory ?? readBrowserMemory;
    this.metrics = new SupervisorMetrics({
      config,
      redis: this.redis,
      runs: () => this.#runs.all().map(({ session, run }) => ({ session, browser: run.browser })),
      readMemory: this.#readMemory,
    });
    // Logs only errors: the other connection already logs outages.
    this.#subscriber = connectPatiently(redisUrl, timing, log.child({}, { level: 'error' }));
    this.#queue = openQueue(sessionsQueue, this.redis);
    this.#lostSessions = new LostSessions({
      ...{ redis: this.redis, queue: this.#queue, authDir: config.authDir, log },
      noticeMs: timing.renewIntervalMs + timing.killAllowanceMs,
      closing: this.#closing.signal,
    });
    this.#markers = new QueueMarkers({ redis: this.redis, supervisorId: this.id, timing, log });
    this.#intake = new RunIntake({
      ...{ redis: this.redis, markers: this.#markers, timing, log },
      concurrency: config.maxSessions,
      maxStarts: config.maxStarts,
      onStartsChanged: () => void this.#registration.renew(),
      process: (...taken) => this.#process(...taken),
      onDataError: () => void this.#lostSessions.check({ mayRun: true }),
    });
    this.#registration = new Registration({
      ...{ redis: this.redis, supervisorId: this.id, config },
      sessions: () => this.#runs.size,
      starts: () => this.#intake.freeStarts,
      onBeat: () => {
        if (++this.#registrations % registrationsBetweenChecks === 0)
          void this.#lostSessions.check({ mayRun: true });
      },
    });
  }

  /** Takes runs until {@link close}. Retries what Redis refuses. Rejects only if this supervisor closes first. */
  async start(): Promise<void> {
    const { config, isAlone, log } = this.#options;
    const { maxSessions: sessions, maxSessionsBy: by, maxStarts: startsAtOnce } = config;
    log.info({ sessions, by, startsAtOnce }, 'room for sessions');
    await this.#registration.renew();
    const isChecked = await this.#lostSessions.check({ mayRun: false });
    this.#listenForIntents();
    if (isAlone) await requeueInterruptedRuns(this.redis, this.#queue, this.#closing.signal, log);
    // Redis was away, and may come back empty. The next check would come only several registrations later.
    if (!isChecked) this.#inBackground(this.#lostSessions.recoverAll());
    // So that the first run finds a loaded thread and a known browser version.
    this.#threads.load();
    const { chromeExecutable: executable, browserEnvironment: environment } = this.#options.config;
    browserVersion({ executable, environment }).catch(() => undefined);
    this.#inBackground(this.#intake.run());
    setTimeout(collectGarbage, garbageCollectionDelayMs).unref();
    log.info({ supervisor: this.id }, 'supervisor started');
  }

  /**
   * Hands over every run and stops. `force` ends the grace periods. The intake closes before runs go back to the queue: its
   * pending read would otherwise take the wake-up that is meant for a standby.
   */
  async close(force: AbortSignal): Promise<void> {
    this.#closing.abort();
    this.#registration.stop();
    const closed = this.#intake.close();
    await this.#runs.handOverAll(force);
    this.#markers.close();
    await this.#threads.close();
    // If Redis does not answer, the registration expires by itself.
    await withDeadline(Promise.all([closed, this.#registration.remove()]), 3_000, 'Redis').catch(() => {});
    await withDeadline(this.#queue.close(), 1_000, 'Redis').catch(() => {});
    await Promise.all([disconnect(this.#subscriber), disconnect(this.redis)]);
  }

  /** Why it cannot take or run a session, as sentences. Empty: it is ready. */
  problems(): Promise<readonly string[]> {
    const failures = this.#runs.all().map(({ run }) => run.browserFailure);
    return readinessProblems({
      supervisorId: this.id,
      redis: this.redis,
      config: this.#options.config,
      isClosing: this.#closing.signal.aborted,
      // One session's own configuration may prevent its browser. That says nothing of the others.
      browserFailure: failures.every((failure) => failure !== null) ? (failures[0] ?? null) : null,
    });
  }

  /** Never resolves: BullMQ must neither complete the job nor count it as failed. */
  async #putBack(job: Job, token: string): Promise<never> {
    await this.#requeue(job, token);
    throw new WaitingError();
  }

  /** Runs one session until its run ends. Returns normally only if the run has ended for good: that completes the job. */
  async #process(job: Job, token: string, onStarted: () => void): Promise<void> {
    const id = job.id ?? '';
    // Not a start of a session: returning completes it.
    if (!isRunJobId(id)) return;
    const session = sessionOfJobId(id);
    // The thread loads its modules while the run is claimed and the browser starts.
    this.#threads.load();
    const start = startJobSchema.safeParse(job.data);
    if (!start.success) {
      await this.#lostSessions.check({ mayRun: true });
      // If that did not repair the job, it will be handed out again unchanged.
      await pause(redisRetryMs, this.#closing.signal);
      return this.#putBack(job, token);
    }
    const { config, log } = this.#options;
    const runLog = log.child({ session });
    const lease = new Lease({
      timing: config.timing,
      renew: () => renewLock(this.redis, session, token, config.timing.lockDurationMs),
      log: runLog,
    });
    // A start may be added in the moment in which its session is deleted.
    const signal = AbortSignal.any([this.#closing.signal, lease.lost]);
    const configuration = await SessionConfiguration.open(
      { redis: this.redis, session, keys: config.credentialsKeys, log: runLog },
      signal,
    ).catch(() => undefined);
    if (configuration == null) lease.stop();
    if (configuration === null) return runLog.warn('dropped a start: there is no such session');
    if (configuration === undefined) return this.#putBack(job, token);
    const run = new SessionRun({
      ...{ session, configuration, startId: start.data.startId, token, lease, onStarted, log: runLog },
      ...{ supervisorId: this.id, config, threads: this.#threads },
      ...{ redis: this.redis, markers: this.#markers, pace: this.#pace },
      recorder: new RunRecorder(this.metrics, session),
      readMemory: this.#readMemory,
    });
    const result = await this.#runs.during({ session, run, lease }, async () => {
      const reached = this.#closing.signal.aborted ? 'handed-over' : await run.execute();
      if (reached !== 'ended') await this.#requeue(job, token);
      return reached;
    });
    // Redis may be away for a long time, and then come back empty.
    if (result === 'lost')
      this.#inBackground(
        this.#lostSessions.recover({ session, record: configuration.record, epoch: run.epoch }),
      );
    if (result !== 'ended') throw new WaitingError();
  }

  /**
   * Puts the job back into the waiting list, for any supervisor. Never rejects: Redis refuses it if the job belongs to another
   * run. If Redis does not answer, BullMQ finds the job once its lock has expired.
   */
  async #requeue(job: Job, token: string): Promise<void> {
    await withDeadline(job.moveToWait(token), 3_000, 'Redis').catch((error) =>
      this.#options.log.debug({ err: error }, 'job not requeued'),
    );
  }

  /** A message on this channel makes the owner read an intent at once. Without it, the next heartbeat reads it. */
  #listenForIntents(): void {
    const { log } = this.#options;
    this.#subscriber.on('message', (_, session) => this.#runs.get(session)?.checkForIntent());
    keepSubscribed(this.#subscriber, { channel: intentChannel, signal: this.#closing.signal, log });
  }

  /** An unexpected failure stays unhandled: that ends the process, and its service starts it again. */
  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!this.#closing.signal.aborted) throw error;
    });
  }
}
