import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Timing } from '../../src/contract/timing.js';
import { loadConfig } from '../../src/platform/config/config.js';
import { Profile } from '../../src/supervisor/browser/profile.js';
import type { ProfileNote } from '../../src/supervisor/browser/profile-note.js';
import { Supervisor, type SupervisorOptions } from '../../src/supervisor/supervisor.js';
import { eventually } from './eventually.js';
import { scratchDir } from './leftovers.js';
import { logTo } from './log-lines.js';
import { watchdogsOf } from './processes.js';
import { scaledTiming, supervisorEnvironment } from './scaled-timing.js';
import { ScriptedProcesses, scriptedThreadEntry } from './scripted-processes.js';
import { SessionObserver } from './session-observer.js';
import type { RedisForData } from './shared-redis.js';

/**
 * For tests that wait no outage out. The longer locks keep a run alive when a busy machine stands still for some seconds,
 * which is not a fault under test.
 */
const testSupervisorTiming = {
  ...scaledTiming,
  lockDurationMs: 12_000,
  giveUpMs: 8_000,
  guardTimeoutMs: 9_000,
  loopHungAfterMs: 20_000,
  pageCloseMs: 20_000,
};

interface SupervisedOptions {
  /** A random name by default. */
  readonly session?: string;
  readonly timing?: Partial<Timing>;
  readonly restartsMax?: number;
  /** The port of a proxy that the supervisors use to reach Redis. */
  readonly redisPort?: number;
  /** Further variables of the supervisors. */
  readonly environment?: Record<string, string>;
  readonly readMemory?: SupervisorOptions['readMemory'];
  /** There is no other supervisor: what a dead one left is taken over at once. */
  readonly isAlone?: boolean;
}

/**
 * One session with real supervisors in this process, a real Redis, and scripted browser and threads. Each test makes its
 * own and closes it, so that nothing keeps running.
 */
export class SupervisedSession {
  readonly scripted: ScriptedProcesses;
  readonly observer: SessionObserver;
  readonly authDir: string;
  readonly logLines: Record<string, unknown>[] = [];
  /** The URL that the supervisors use. */
  readonly #redisUrl: string;
  readonly #directUrl: string;
  readonly #options: SupervisedOptions;
  readonly #supervisors = new Set<Supervisor>();

  constructor(redis: RedisForData, options: SupervisedOptions = {}) {
    const dir = scratchDir();
    this.#directUrl = redis.url;
    this.#redisUrl = options.redisPort === undefined ? redis.url : `redis://127.0.0.1:${options.redisPort}`;
    this.#options = options;
    this.scripted = new ScriptedProcesses(dir);
    this.authDir = join(dir, 'auth');
    mkdirSync(this.authDir);
    this.observer = new SessionObserver(redis.url, options.session ?? `t-${randomUUID()}`);
  }

  get profileDir(): string {
    return join(this.authDir, `session-${this.observer.session}`);
  }

  /** Sets the behaviours of threads, starts one supervisor, and starts the session. */
  readonly run = async (...behaviours: Parameters<ScriptedProcesses['setThreads']>): Promise<Supervisor> => {
    this.scripted.setThreads(...behaviours);
    const supervisor = await this.startSupervisor();
    await this.observer.start();
    return supervisor;
  };

  /** `beforeStart` runs after the supervisor was made, when it connects, and before it starts. */
  async startSupervisor(beforeStart?: () => Promise<unknown>): Promise<Supervisor> {
    const timing = { ...testSupervisorTiming, ...this.#options.timing };
    const environment = supervisorEnvironment({
      ...this.#options,
      redisUrl: this.#redisUrl,
      authDir: this.authDir,
      browserExecutable: this.scripted.browserExecutable,
      timing,
    });
    const supervisor = new Supervisor({
      config: loadConfig('supervisor', { ...process.env, ...environment, ...this.#options.environment }),
      redisUrl: this.#redisUrl,
      log: logTo(this.logLines),
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

  /** Another session on the same Redis and supervisors. The caller closes it. */
  anotherSession(): SessionObserver {
    return new SessionObserver(this.#directUrl, `t-${randomUUID()}`);
  }

  /** Runs `work`, then closes, even if it throws. */
  async during(work: (session: this) => Promise<void>): Promise<void> {
    try {
      await work(this);
    } finally {
      await this.close();
    }
  }

  /** Changes the note beside the profile, as a machine with another clock would have written it. */
  async amendNote(change: Partial<ProfileNote>): Promise<void> {
    const profile = new Profile(this.authDir, this.observer.session);
    const note = await profile.readNote();
    assert.ok(note);
    await profile.writeNote({ ...note, ...change });
  }

  readNote(): ProfileNote {
    return JSON.parse(readFileSync(`${this.profileDir}.json`, 'utf8')) as ProfileNote;
  }

  /** Throws unless this session's browsers and this process's watchdogs have ended. */
  async assertNothingRuns(): Promise<void> {
    await eventually(() => {
      assert.deepEqual(this.scripted.browsersAlive(), []);
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
