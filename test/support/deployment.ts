import assert from 'node:assert/strict';
import { supervisorsKey } from '../../src/contract/keys.js';
import { type Timing, timingSchema } from '../../src/contract/timing.js';
import { eventually } from './eventually.js';
import type { FaultProxy } from './fault-proxy.js';
import { type Replica, startReplica } from './http-replica.js';
import { scratchDir } from './leftovers.js';
import type { FaultStage, HeldState, SteadySession } from './matrix/fault-row.js';
import { allProcesses, processFacts } from './processes.js';
import { type RedisServer, startRedis } from './redis-server.js';
import { ScriptedProcesses, type ThreadBehaviour } from './scripted-processes.js';
import { SessionObserver } from './session-observer.js';
import {
  type SupervisorProcess,
  type SupervisorProcessOptions,
  startSupervisorProcess,
} from './supervisor-process.js';

const behaviours: Readonly<Record<HeldState, ThreadBehaviour>> = {
  starting: 'stays starting',
  qr: 'shows a qr',
  authenticated: 'stays authenticated',
  ready: 'ready',
};

export interface OwnedSession extends SteadySession {
  readonly owner: SupervisorProcess;
}

/** Options of the supervisors: another port for Redis, further variables. */
type DeploymentOptions = Partial<Pick<SupervisorProcessOptions, 'redisPort' | 'environment'>>;

/** Two supervisors with scripted browsers and threads, one Redis, one replica and one session. */
export class Deployment implements FaultStage<OwnedSession> {
  readonly redis: RedisServer;
  readonly replica: Replica;
  readonly scripted: ScriptedProcesses;
  readonly observer: SessionObserver;
  readonly honestWithinMs: number;
  readonly countIntervalMs = 25;
  readonly #dir: string;
  readonly #timing: Partial<Timing>;
  readonly #supervisorOptions: DeploymentOptions;
  readonly #supervisors = new Set<SupervisorProcess>();
  #started = 0;
  #state: HeldState = 'ready';

  /** By default the replica has the shipped timing, so it notices an outage as it does in production. */
  static async open(
    timing: Partial<Timing>,
    replicaTiming: Partial<Timing> = timingSchema.parse({}),
  ): Promise<Deployment> {
    const redis = await startRedis({ appendOnly: true });
    return new Deployment(redis, await startReplica(redis.url, { timing: replicaTiming }), timing);
  }

  protected constructor(
    redis: RedisServer,
    replica: Replica,
    timing: Partial<Timing>,
    options: DeploymentOptions = {},
  ) {
    this.#dir = scratchDir();
    this.#timing = timing;
    this.#supervisorOptions = options;
    this.redis = redis;
    this.replica = replica;
    this.scripted = new ScriptedProcesses(this.#dir);
    this.observer = new SessionObserver(redis.url);
    this.honestWithinMs = (timing.heartbeatTtlMs ?? 6_000) + 2_000;
  }

  /** Brings two supervisors up and the session into this state, where it stays. */
  async hold(state: HeldState): Promise<OwnedSession> {
    while (this.#supervisors.size < 2) await this.startSupervisor();
    this.scripted.setThreads(behaviours[state]);
    if ((await this.observer.read()).jobExists && this.#state !== state) {
      await this.observer.requestEnd('stop');
      await this.observer.untilEnded();
    }
    this.#state = state;
    if (!(await this.observer.read()).jobExists) await this.observer.start();
    return this.recovered(state);
  }

  /**
   * Waits until the session is back in its state, one browser lives whose parent is the supervisor named in the status,
   * and nothing of another run is left.
   */
  async recovered(state: HeldState, timeoutMs = 60_000): Promise<OwnedSession> {
    return eventually(
      async () => {
        const { status, fence, heartbeat, lockPttl, jobExists } = await this.observer.read();
        assert.deepEqual([status?.state, heartbeat, jobExists], [state, 'live', true]);
        assert.ok(lockPttl > 0, 'the lock is held');
        assert.equal(fence, `${status?.epoch}.${status?.incarnation}`);
        const alive = this.scripted.browsersAlive();
        assert.equal(alive.length, 1, 'one browser');
        const [browser = 0] = alive;
        const owner = [...this.#supervisors].find(({ pid }) => pid === processFacts(browser)?.parent);
        assert.ok(owner, 'the browser belongs to a supervisor');
        const shown = await this.replica.status();
        assert.deepEqual([shown.state, shown.supervisor], [state, owner.id]);
        return { owner, browser, status: shown };
      },
      { timeoutMs, message: `the session is not ${state}` },
    );
  }

  /** Waits until a newer run than that of `before` is in the same state and has a live heartbeat. */
  async takenOver(before: OwnedSession): Promise<void> {
    const { state, epoch } = before.status;
    await this.observer.until((s) => s.state === state && s.epoch > epoch, 'taken over', 60_000);
  }

  standbyOf(owner: SupervisorProcess): SupervisorProcess {
    const standby = [...this.#supervisors].find((supervisor) => supervisor !== owner);
    assert.ok(standby);
    return standby;
  }

  async endStandby(owner: SupervisorProcess): Promise<void> {
    const standby = this.standbyOf(owner);
    standby.signal('SIGTERM');
    await standby.exited;
  }

  /** The proxy between each supervisor and Redis. */
  networks(): FaultProxy[] {
    return [...this.#supervisors].map(({ network }) => network);
  }

  /** Waits until the supervisor is back in the registry, so that it can take a run. */
  async untilRegistered({ id }: SupervisorProcess): Promise<void> {
    await eventually(async () => Number(await this.observer.redis.zscore(supervisorsKey, id)) > Date.now(), {
      message: `${id} is registered`,
    });
  }

  browsersAlive(): number {
    return this.scripted.browsersAlive().length;
  }

  /** There is no stand-in here that counts pages: a living browser counts as acting. */
  async acting(): Promise<null> {
    return null;
  }

  async received(body: string): Promise<number> {
    return this.scripted.sent().filter(({ message }) => message === body).length;
  }

  async assertNoZombies(): Promise<void> {
    const parents = [process.pid, ...[...this.#supervisors].map(({ pid }) => pid)];
    await eventually(() => {
      assert.deepEqual(
        allProcesses().filter(({ state, parent }) => state === 'Z' && parents.includes(parent)),
        [],
      );
      return true;
    });
  }

  explain(): string {
    return [...this.#supervisors].map(({ id, log }) => `${id}:\n${log().slice(-3_000)}`).join('\n');
  }

  async close(): Promise<void> {
    for (const network of this.networks()) network.open();
    for (const { signal } of this.#supervisors) {
      signal('SIGCONT');
      signal('SIGTERM');
    }
    await Promise.all([...this.#supervisors].map(({ exited }) => exited));
    await eventually(() => this.scripted.browsersAlive().length === 0, { message: 'no browser is left' });
    await this.observer.close();
    await this.replica.close();
    await this.redis.stop();
  }

  async startSupervisor(): Promise<SupervisorProcess> {
    const supervisor = await startSupervisorProcess({
      name: `supervisor-${++this.#started}`,
      dir: this.#dir,
      redisPort: this.redis.port,
      scripted: this.scripted,
      timing: this.#timing,
      ...this.#supervisorOptions,
    });
    this.#supervisors.add(supervisor);
    void supervisor.exited.then(() => this.#supervisors.delete(supervisor));
    return supervisor;
  }
}
