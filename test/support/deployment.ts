import assert from 'node:assert/strict';
import { supervisorsKey } from '../../src/contract/keys.js';
import { type Timing, timingSchema } from '../../src/contract/timing.js';
import { eventually } from './eventually.js';
import type { FaultProxy } from './fault-proxy.js';
import { type Replica, startReplica } from './http-replica.js';
import { scratchDir } from './leftovers.js';
import type { FaultStage, HeldState, Standing } from './matrix/fault-row.js';
import { allProcesses, processFacts } from './processes.js';
import { type RedisServer, startRedis } from './redis-server.js';
import { SessionObserver } from './session-observer.js';
import {
  type SupervisorProcess,
  type SupervisorProcessOptions,
  startSupervisorProcess,
} from './supervisor-process.js';
import { Theatre, type ThreadBehaviour } from './theatre.js';

const behaviours: Readonly<Record<HeldState, ThreadBehaviour>> = {
  starting: 'stays starting',
  qr: 'shows a qr',
  authenticated: 'stays authenticated',
  ready: 'ready',
};

export interface Settled extends Standing {
  readonly owner: SupervisorProcess;
}

/** How supervisors differ from the usual ones: another way to Redis, more settings. */
type DeploymentOptions = Partial<Pick<SupervisorProcessOptions, 'redisPort' | 'environment'>>;

/** Two supervisors with scripted browsers and threads, one Redis, one replica, one session. */
export class Deployment implements FaultStage<Settled> {
  readonly redis: RedisServer;
  readonly replica: Replica;
  readonly theatre: Theatre;
  readonly observer: SessionObserver;
  readonly honestWithinMs: number;
  readonly countIntervalMs = 25;
  readonly #dir: string;
  readonly #timing: Partial<Timing>;
  readonly #supervisorOptions: DeploymentOptions;
  readonly #supervisors = new Set<SupervisorProcess>();
  #started = 0;
  #state: HeldState = 'ready';

  /** The replica notices an outage as the shipped one does, where nothing else is said. */
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
    this.theatre = new Theatre(this.#dir);
    this.observer = new SessionObserver(redis.url);
    this.honestWithinMs = (timing.heartbeatTtlMs ?? 6_000) + 2_000;
  }

  /** Two supervisors run, the session stays in this state and everything said about it is true. */
  async hold(state: HeldState): Promise<Settled> {
    while (this.#supervisors.size < 2) await this.startSupervisor();
    this.theatre.playThreads(behaviours[state]);
    if ((await this.observer.look()).jobExists && this.#state !== state) {
      await this.observer.requestEnd('stop');
      await this.observer.untilEnded();
    }
    this.#state = state;
    if (!(await this.observer.look()).jobExists) await this.observer.start();
    return this.recovered(state);
  }

  /**
   * The session is back in its state; one browser lives, its parent is the supervisor that the status names, and
   * nothing of another run is left.
   */
  async recovered(state: HeldState, timeoutMs = 60_000): Promise<Settled> {
    return eventually(
      async () => {
        const { status, fence, heartbeat, lockPttl, jobExists } = await this.observer.look();
        assert.deepEqual([status?.state, heartbeat, jobExists], [state, 'live', true]);
        assert.ok(lockPttl > 0, 'the lock is held');
        assert.equal(fence, `${status?.epoch}.${status?.incarnation}`);
        const alive = this.theatre.browsersAlive();
        assert.equal(alive.length, 1, 'one browser');
        const [browser = 0] = alive;
        const owner = [...this.#supervisors].find(({ pid }) => pid === processFacts(browser)?.parent);
        assert.ok(owner, 'the browser belongs to a supervisor');
        const told = await this.replica.status();
        assert.deepEqual([told.state, told.supervisor], [state, owner.id]);
        return { owner, browser, status: told };
      },
      { timeoutMs, message: `the session is not ${state}` },
    );
  }

  /** The session has got past `before` into a newer run, with somebody behind it. */
  async takenOver(before: Settled): Promise<void> {
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

  /** Breaks or heals the way of every supervisor to Redis. */
  networks(): FaultProxy[] {
    return [...this.#supervisors].map(({ network }) => network);
  }

  /** The supervisor is back on the roll of those alive, so that it could take a run. */
  async untilOnRoll({ id }: SupervisorProcess): Promise<void> {
    await eventually(async () => Number(await this.observer.redis.zscore(supervisorsKey, id)) > Date.now(), {
      message: `${id} is back`,
    });
  }

  browsersAlive(): number {
    return this.theatre.browsersAlive().length;
  }

  /** Nobody counts pages here: a browser that lives acts. */
  async acting(): Promise<null> {
    return null;
  }

  async received(body: string): Promise<number> {
    return this.theatre.sent().filter(({ message }) => message === body).length;
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
    await eventually(() => this.theatre.browsersAlive().length === 0, { message: 'no browser is left' });
    await this.observer.close();
    await this.replica.close();
    await this.redis.stop();
  }

  async startSupervisor(): Promise<SupervisorProcess> {
    const supervisor = await startSupervisorProcess({
      name: `supervisor-${++this.#started}`,
      dir: this.#dir,
      redisPort: this.redis.port,
      theatre: this.theatre,
      timing: this.#timing,
      ...this.#supervisorOptions,
    });
    this.#supervisors.add(supervisor);
    void supervisor.exited.then(() => this.#supervisors.delete(supervisor));
    return supervisor;
  }
}
