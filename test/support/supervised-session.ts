import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import type { Timing } from '../../src/contract/timing.js';
import { loadConfig } from '../../src/platform/config/config.js';
import { Profile } from '../../src/supervisor/browser/profile.js';
import type { ProfileNote } from '../../src/supervisor/browser/profile-note.js';
import { Supervisor, type SupervisorOptions } from '../../src/supervisor/supervisor.js';
import { eventually } from './eventually.js';
import { scratchDir } from './leftovers.js';
import { watchdogsOf } from './processes.js';
import { scaledTiming, supervisorEnvironment } from './scaled-timing.js';
import { SessionObserver } from './session-observer.js';
import type { RedisForData } from './shared-redis.js';
import { scriptedThreadEntry, Theatre } from './theatre.js';

/**
 * Where nothing has to be sat out, patient: that a busy machine stands still for some seconds is none of the faults that
 * are tested so.
 */
const patientTiming = {
  ...scaledTiming,
  lockDurationMs: 12_000,
  giveUpMs: 8_000,
  guardTimeoutMs: 9_000,
  loopHungAfterMs: 20_000,
  pageCloseMs: 20_000,
};

interface SupervisedOptions {
  /** A name of its own where none is given. */
  readonly session?: string;
  readonly timing?: Partial<Timing>;
  readonly restartsMax?: number;
  /** The supervisors' way to Redis, where it is not the direct one. */
  readonly redisPort?: number;
  /** Further variables of the supervisors. */
  readonly environment?: Record<string, string>;
  readonly readMemory?: SupervisorOptions['readMemory'];
  /** No other supervisor: what a dead one left is taken up at once. */
  readonly isAlone?: boolean;
}

/**
 * One session, real supervisors in this process, a real Redis; scripted browser and threads. Each test has its own
 * and sees to it that nothing of it runs on.
 */
export class SupervisedSession {
  readonly theatre: Theatre;
  readonly observer: SessionObserver;
  readonly authDir: string;
  readonly logLines: Record<string, unknown>[] = [];
  /** The supervisors' way to Redis. */
  readonly #redisUrl: string;
  readonly #directUrl: string;
  readonly #options: SupervisedOptions;
  readonly #supervisors = new Set<Supervisor>();

  constructor(redis: RedisForData, options: SupervisedOptions = {}) {
    const dir = scratchDir();
    this.#directUrl = redis.url;
    this.#redisUrl = options.redisPort === undefined ? redis.url : `redis://127.0.0.1:${options.redisPort}`;
    this.#options = options;
    this.theatre = new Theatre(dir);
    this.authDir = join(dir, 'auth');
    mkdirSync(this.authDir);
    this.observer = new SessionObserver(redis.url, options.session ?? `t-${randomUUID()}`);
  }

  get profileDir(): string {
    return join(this.authDir, `session-${this.observer.session}`);
  }

  /** One supervisor, a start, and threads that do this. */
  readonly run = async (...behaviours: Parameters<Theatre['playThreads']>): Promise<Supervisor> => {
    this.theatre.playThreads(...behaviours);
    const supervisor = await this.startSupervisor();
    await this.observer.start();
    return supervisor;
  };

  /** `beforeStart`: between its making, when it connects, and its start. */
  async startSupervisor(beforeStart?: () => Promise<unknown>): Promise<Supervisor> {
    const timing = { ...patientTiming, ...this.#options.timing };
    const environment = supervisorEnvironment({
      ...this.#options,
      redisUrl: this.#redisUrl,
      authDir: this.authDir,
      browserExecutable: this.theatre.browserExecutable,
      timing,
    });
    const lines = this.logLines;
    const log = pino(
      { level: 'debug' },
      new Writable({
        write(chunk: Buffer, _encoding, done) {
          lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
          done();
        },
      }),
    );
    const supervisor = new Supervisor({
      config: loadConfig('supervisor', { ...process.env, ...environment, ...this.#options.environment }),
      redisUrl: this.#redisUrl,
      log,
      threadEntry: scriptedThreadEntry,
      isAlone: this.#options.isAlone ?? false,
      ...(this.#options.readMemory === undefined ? {} : { readMemory: this.#options.readMemory }),
    });
    this.#supervisors.add(supervisor);
    await beforeStart?.();
    await supervisor.start();
    return supervisor;
  }

  async closeSupervisor(supervisor: Supervisor, force = new AbortController().signal): Promise<void> {
    this.#supervisors.delete(supervisor);
    await supervisor.close(force);
  }

  readonly hasLogged = (message: string): boolean => this.logLines.some((line) => line.msg === message);

  /** Another session on the same Redis and supervisors; to be closed by the caller. */
  anotherSession(): SessionObserver {
    return new SessionObserver(this.#directUrl, `t-${randomUUID()}`);
  }

  /** Closes after `work`, whatever becomes of it. */
  async during(work: (session: this) => Promise<void>): Promise<void> {
    try {
      await work(this);
    } finally {
      await this.close();
    }
  }

  /** Changes what stands beside the profile, as another machine with another clock would have left it. */
  async amendNote(change: Partial<ProfileNote>): Promise<void> {
    const profile = new Profile(this.authDir, this.observer.session);
    const note = await profile.readNote();
    assert.ok(note);
    await profile.writeNote({ ...note, ...change });
  }

  readNote(): ProfileNote {
    return JSON.parse(readFileSync(`${this.profileDir}.json`, 'utf8')) as ProfileNote;
  }

  /** Of this session only: its browsers, and the watchdogs of this process. */
  async assertNothingRuns(): Promise<void> {
    await eventually(() => {
      assert.deepEqual(this.theatre.browsersAlive(), []);
      assert.deepEqual(watchdogsOf(process.pid), []);
      return true;
    });
  }

  async close(): Promise<void> {
    for (const supervisor of this.#supervisors) await this.closeSupervisor(supervisor);
    await this.observer.redis.flushdb();
    await this.observer.close();
    await this.assertNothingRuns();
  }
}
