import { randomBytes } from 'node:crypto';
import { Job, type Queue, WaitingError } from 'bullmq';
import { messageOf } from '../contract/errors.js';
import { startJobSchema } from '../contract/intent.js';
import { intentChannel } from '../contract/keys.js';
import { authStartJob, isRunJobId, sessionOfJobId, sessionsQueue } from '../contract/names.js';
import { collectGarbage } from '../platform/collect-garbage.js';
import type { Config } from '../platform/config/config.js';
import { isDataError } from '../platform/data-errors.js';
import { deferred, pause, withDeadline } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import { openQueue } from '../platform/queues/open-queue.js';
import { mendStarts } from '../platform/queues/start-queue.js';
import { connectPatiently, disconnect, type Redis } from '../platform/redis/connection.js';
import { keepSubscribed } from '../platform/redis/subscription.js';
import { redisRetryMs, retryUntilSuccess } from '../platform/retry.js';
import { readFence, renewLock, stepDown } from '../platform/store/state-store.js';
import { registerSupervisor, unregisterSupervisor } from '../platform/store/supervisor-registry.js';
import { type BrowserMemory, readBrowserMemory } from './browser/browser-memory.js';
import { browserVersion } from './browser/browser-version.js';
import { Lease } from './lease.js';
import { RunRecorder } from './metrics/run-recorder.js';
import { SupervisorMetrics } from './metrics/supervisor-metrics.js';
import { readinessProblems } from './probe/readiness.js';
import { recoverLostSession, wantedSessions } from './recover-lost-sessions.js';
import { RunIntake } from './run-intake.js';
import { type RunResult, SessionRun } from './session-run.js';
import { WarmThread } from './warm-thread.js';

export interface SupervisorOptions {
  readonly config: Config;
  readonly redisUrl: string;
  readonly log: Logger;
  /** The session worker's entry, known by URL only. */
  readonly threadEntry: URL;
  /** No other supervisor can reach this Redis: runs that a killed one left are taken up at once. */
  readonly isAlone: boolean;
  /** How the memory of a browser's process group is read; from /proc where nothing else is said. */
  readonly readMemory?: (groupId: number) => Promise<BrowserMemory | null>;
}

/** Between two looks at the queue of starts, for what nobody meets who would say so. */
const signaturesBetweenLooks = 10;

/** After which a first start is over, one way or the other. */
const restMs = 30_000;

interface ActiveRun {
  readonly run: SessionRun;
  readonly lease: Lease;
  readonly isOver: Promise<void>;
}

/**
 * Takes the runs of sessions from the queue and carries them, each for as long as it lives: the job is active
 * while the session runs. BullMQ hands jobs out and finds those whose owner died; holding on to a job is the
 * lease's part (see lease.ts), because BullMQ's own renewal let the same worker run a job twice at once.
 */
export class Supervisor {
  readonly id: string;
  readonly metrics: SupervisorMetrics;
  readonly #options: SupervisorOptions;
  readonly #redis: Redis;
  readonly #subscriber: Redis;
  readonly #queue: Queue;
  readonly #intake: RunIntake;
  readonly #threads: WarmThread;
  readonly #runs = new Map<string, ActiveRun>();
  readonly #rollTimer: NodeJS.Timeout;
  readonly #closing = new AbortController();
  #signatures = 0;
  #mending: Promise<void> | null = null;

  constructor(options: SupervisorOptions) {
    const { config, log, redisUrl } = options;
    const { timing } = config;
    this.#options = options;
    this.id = `${config.hostName}-${process.pid}-${randomBytes(2).toString('hex')}`;
    this.#redis = connectPatiently(redisUrl, timing, log);
    this.#threads = new WarmThread(options.threadEntry, timing);
    this.metrics = new SupervisorMetrics({
      config,
      redis: this.#redis,
      runs: () => [...this.#runs].map(([session, { run }]) => ({ session, browser: run.browser })),
      readMemory: options.readMemory ?? readBrowserMemory,
    });
    // The other connection says already when Redis is away.
    this.#subscriber = connectPatiently(redisUrl, timing, log.child({}, { level: 'error' }));
    this.#queue = openQueue(sessionsQueue, this.#redis);
    this.#intake = new RunIntake({
      redis: this.#redis,
      timing,
      concurrency: config.maxSessions,
      process: (job, token) => this.#process(job, token),
      onOdd: () => void this.#mendStarts(),
      log,
    });
    this.#rollTimer = setInterval(() => {
      // What Redis refuses of it is made up for by the next signature; until then `/readyz` says so.
      void this.#registerSupervisor();
      if (++this.#signatures % signaturesBetweenLooks === 0) void this.#mendStarts();
    }, timing.heartbeatIntervalMs);
  }

  /** Takes runs until {@link close}. What Redis refuses is tried again; rejects where it cannot go on at all. */
  async start(): Promise<void> {
    const { authDir } = this.#options.config;
    await this.#registerSupervisor();
    await this.#mendStarts();
    this.#listenForIntents();
    if (this.#options.isAlone) await this.#takeUpLeftovers();
    for (const session of await wantedSessions(authDir)) this.#recoverLostSession(session);
    // The first run finds a session worker that has loaded its modules, and a browser whose version is known.
    this.#threads.load();
    this.#askBrowserVersion();
    this.#inBackground(this.#intake.run());
    // What loading the modules and the first start left behind.
    setTimeout(collectGarbage, restMs).unref();
    this.#options.log.info({ supervisor: this.id }, 'supervisor runs');
  }

  /**
   * Hands every run over and stops. Closing first, giving back after: a closing worker's own pending read would
   * otherwise swallow the wake-up that is meant for a standby. `force` shortens the grace periods.
   */
  async close(force: AbortSignal): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#rollTimer);
    const closed = this.#intake.close();
    for (const { run } of this.#runs.values()) {
      run.handOver();
      force.addEventListener('abort', () => run.force(), { once: true });
      if (force.aborted) run.force();
    }
    await Promise.all([...this.#runs.values()].map(({ isOver }) => isOver));
    await this.#threads.close();
    // Where Redis does not take it, the signature lapses by itself.
    await withDeadline(
      Promise.all([closed, unregisterSupervisor(this.#redis, this.id)]),
      3_000,
      'redis',
    ).catch(() => {});
    await withDeadline(this.#queue.close(), 1_000, 'redis').catch(() => {});
    await Promise.all([disconnect(this.#subscriber), disconnect(this.#redis)]);
  }

  /** What keeps it from taking or running a session, as sentences; empty: it is ready. */
  problems(): Promise<readonly string[]> {
    const failures = [...this.#runs.values()].map(({ run }) => run.browserFailure);
    return readinessProblems({
      supervisorId: this.id,
      redis: this.#redis,
      config: this.#options.config,
      isClosing: this.#closing.signal.aborted,
      browserFailure: failures.find((failure) => failure !== null) ?? null,
    });
  }

  /** The answer is kept; where there is none, the start of a browser says so. */
  #askBrowserVersion(): void {
    const { chromeExecutable: executable, browserEnvironment: environment } = this.#options.config;
    browserVersion({ executable, environment }).catch(() => undefined);
  }

  /** The life of one run. Returns normally only when the run has ended for good: that completes the job. */
  async #process(job: Job, token: string): Promise<void> {
    const { config, log, redisUrl } = this.#options;
    // It loads its modules while the run is claimed and the browser starts.
    this.#threads.load();
    // Nobody's start: it is over with that.
    if (!isRunJobId(job.id ?? '')) return;
    const session = sessionOfJobId(job.id ?? '');
    const runLog = log.child({ session });
    const start = startJobSchema.safeParse(job.data);
    if (!start.success) {
      await this.#mendStarts();
      // Where Redis refused that, it is handed out again as it is.
      await pause(redisRetryMs, this.#closing.signal);
      await this.#giveBack(job, token);
      throw new WaitingError();
    }
    const { startId } = start.data;
    const lease = new Lease({
      timing: config.timing,
      renew: () => renewLock(this.#redis, session, token, config.timing.lockDurationMs),
      log: runLog,
    });
    const over = deferred<void>();
    const earlier = this.#runs.get(session);
    const run = new SessionRun({
      session,
      startId,
      token,
      lease,
      supervisorId: this.id,
      threads: this.#threads,
      redis: this.#redis,
      redisUrl,
      config,
      recorder: new RunRecorder(this.metrics, session),
      readMemory: this.#options.readMemory ?? readBrowserMemory,
      log: runLog,
    });
    const active: ActiveRun = { run, lease, isOver: over.promise };
    this.#runs.set(session, active);
    let result: RunResult = 'handed-over';
    try {
      // The same job again in this process: the earlier run lost its lock without knowing.
      earlier?.lease.forfeit('the same supervisor took the session again');
      await earlier?.isOver;
      if (!this.#closing.signal.aborted) result = await run.execute();
      if (result !== 'ended') await this.#giveBack(job, token);
    } finally {
      lease.stop();
      if (this.#runs.get(session) === active) this.#runs.delete(session);
      over.resolve();
    }
    if (result === 'lost') this.#recoverLostSession(session);
    if (result !== 'ended') throw new WaitingError();
    runLog.info('run ended');
  }

  /**
   * Back to the waiting list, for whoever is free. Refused or unanswered where the job is another's; where Redis does not take
   * it, it is found there once its lock has lapsed.
   */
  async #giveBack(job: Job, token: string): Promise<void> {
    await withDeadline(job.moveToWait(token), 3_000, 'redis').catch((error) =>
      this.#options.log.debug({ err: error }, 'job not given back'),
    );
  }

  /** One look at a time. Never rejects: the next one tells. */
  #mendStarts(): Promise<void> {
    const { config, log } = this.#options;
    const mend = async () => {
      const sessions = await wantedSessions(config.authDir);
      await mendStarts(this.#redis, sessions);
      for (const session of sessions) await recoverLostSession(session, this.#forgotten);
    };
    this.#mending ??= mend()
      .catch((error) => log.debug({ err: error }, 'the queue of starts was not looked at'))
      .finally(() => {
        this.#mending = null;
      });
    return this.#mending;
  }

  /** Redis may be away for long before it comes back empty. */
  #recoverLostSession(session: string): void {
    const sentence = 'redis did not say whether it still knows the session; asking again';
    this.#inBackground(this.#retryUntilSuccess(() => recoverLostSession(session, this.#forgotten), sentence));
  }

  get #forgotten() {
    return { redis: this.#redis, queue: this.#queue, log: this.#options.log };
  }

  /** A hint that makes an owner look at once; with the next heartbeat it looks anyway. */
  #listenForIntents(): void {
    const { log } = this.#options;
    this.#subscriber.on('message', (_, session) => this.#runs.get(session)?.run.lookForIntent());
    keepSubscribed(this.#subscriber, { channel: intentChannel, signal: this.#closing.signal, log });
  }

  /** Rejects only once this supervisor closes. */
  #retryUntilSuccess<T>(attempt: () => Promise<T>, sentence: string): Promise<T> {
    return retryUntilSuccess(attempt, { signal: this.#closing.signal, log: this.#options.log, sentence });
  }

  /** What fails although it should not is nobody's to mend: unhandled, it ends the process, which its service starts again. */
  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!this.#closing.signal.aborted) throw error;
    });
  }

  /**
   * Their owner is dead, and so is what its last heartbeat still vouches for. `'0'` makes BullMQ skip the check of the
   * lock, which the dead owner still holds for a while.
   */
  async #takeUpLeftovers(): Promise<void> {
    const sentence = 'redis refused to give a run back that was cut off; trying again';
    const ids = await this.#retryUntilSuccess(
      () => this.#redis.lrange(this.#queue.toKey('active'), 0, -1),
      sentence,
    );
    for (const id of ids) await this.#retryUntilSuccess(() => this.#takeUp(id), sentence);
  }

  async #takeUp(id: string): Promise<void> {
    const { log } = this.#options;
    const session = sessionOfJobId(id);
    log.info({ session }, 'taking up a run that was cut off');
    try {
      const fence = await readFence(this.#redis, session);
      if (fence !== null) await stepDown(this.#redis, session, fence.epoch);
      // Its data are not needed for that.
      await new Job(this.#queue, authStartJob, {}, {}, id).moveToWait('0');
    } catch (error) {
      if (!isDataError(error)) throw error;
      log.error({ session, error: messageOf(error) }, 'a run that was cut off cannot be taken up');
    }
  }

  async #registerSupervisor(): Promise<void> {
    // While Redis is away one signature would wait in line behind the other.
    if (!['connecting', 'connect', 'ready'].includes(this.#redis.status)) return;
    const { maxSessions, timing } = this.#options.config;
    const room = Math.max(0, maxSessions - this.#runs.size);
    await registerSupervisor(this.#redis, this.id, room, timing.heartbeatTtlMs).catch(() => {});
  }
}
