import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { supervisorsKey } from '../../src/contract/keys.js';
import type { Status } from '../../src/contract/status.js';
import type { Timing } from '../../src/contract/timing.js';
import { BrowserCount } from './browser-count.js';
import { eventually } from './eventually.js';
import { type FaultProxy, startFaultProxy } from './fault-proxy.js';
import { scratchDir } from './leftovers.js';
import { allProcesses, isAlive, processFacts, signalIfAlive } from './processes.js';
import type { Affliction } from './programs/supervisor.js';
import { type RedisServer, startRedis } from './redis-server.js';
import { supervisorEnvironment } from './scaled-timing.js';
import { SessionObserver } from './session-observer.js';
import { Theatre } from './theatre.js';

const program = fileURLToPath(new URL('./programs/supervisor.js', import.meta.url));

/** A supervisor as a process, with its own disk and its own way to Redis. */
export interface SupervisorProcess {
  readonly id: string;
  readonly pid: number;
  readonly network: FaultProxy;
  afflict(affliction: Affliction): void;
  signal(name: NodeJS.Signals): void;
  /** Resolves when the process is gone. */
  readonly exited: Promise<unknown>;
  log(): string;
}

/** Two supervisors, one Redis, one session; and an eye on every browser that ever lives. */
export class Deployment {
  readonly redis: RedisServer;
  readonly theatre: Theatre;
  readonly observer: SessionObserver;
  readonly browsers: BrowserCount;
  readonly #dir: string;
  readonly #timing: Partial<Timing>;
  readonly #supervisors = new Set<SupervisorProcess>();
  #started = 0;

  static async open(timing: Partial<Timing>): Promise<Deployment> {
    return new Deployment(await startRedis({ appendOnly: true }), timing);
  }

  private constructor(redis: RedisServer, timing: Partial<Timing>) {
    this.#dir = scratchDir();
    this.#timing = timing;
    this.redis = redis;
    this.theatre = new Theatre(this.#dir);
    this.observer = new SessionObserver(redis.url);
    this.browsers = new BrowserCount(this.theatre);
  }

  /** Two supervisors run, the session is ready and everything said about it is true. */
  async settle(): Promise<Settled> {
    while (this.#supervisors.size < 2) await this.#startSupervisor();
    if (!(await this.observer.look()).jobExists) await this.observer.start();
    return this.settled();
  }

  /**
   * The session is ready; one browser lives, its parent is the supervisor that Redis names, and no other process
   * of a supervisor runs.
   */
  async settled(timeoutMs = 30_000): Promise<Settled> {
    return eventually(
      async () => {
        const { status, fence, heartbeat, lockPttl, jobExists } = await this.observer.look();
        assert.deepEqual([status?.state, heartbeat, jobExists], ['ready', 'live', true]);
        assert.ok(lockPttl > 0, 'the lock is held');
        assert.equal(fence, `${status?.epoch}.${status?.incarnation}`);
        const alive = this.theatre.browsersAlive();
        assert.equal(alive.length, 1);
        const [browser = 0] = alive;
        const owner = [...this.#supervisors].find(({ pid }) => pid === processFacts(browser)?.parent);
        assert.ok(owner, 'the browser belongs to a supervisor');
        assert.equal(status?.supervisor, owner.id);
        return { owner, browser, status: status as Status };
      },
      { timeoutMs, message: 'the session has not settled' },
    );
  }

  standbyOf(owner: SupervisorProcess): SupervisorProcess {
    const standby = [...this.#supervisors].find((supervisor) => supervisor !== owner);
    assert.ok(standby);
    return standby;
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

  /** No process is dead but unburied. */
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

  async close(): Promise<void> {
    for (const network of this.networks()) network.open();
    for (const { signal } of this.#supervisors) {
      signal('SIGCONT');
      signal('SIGTERM');
    }
    await Promise.all([...this.#supervisors].map(({ exited }) => exited));
    await eventually(() => this.theatre.browsersAlive().length === 0, { message: 'no browser is left' });
    this.browsers.stop();
    await this.observer.close();
    await this.redis.stop();
  }

  async #startSupervisor(): Promise<void> {
    const name = `supervisor-${++this.#started}`;
    const authDir = join(this.#dir, name);
    mkdirSync(authDir);
    const network = await startFaultProxy(this.redis.port);
    const child = fork(program, ['supervisor'], {
      env: {
        ...process.env,
        ...supervisorEnvironment({
          redisUrl: `redis://127.0.0.1:${network.port}`,
          authDir,
          browserExecutable: this.theatre.browserExecutable,
          timing: this.#timing,
        }),
      },
      execArgv: [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const logFile = join(this.#dir, `${name}.log`);
    const log = createWriteStream(logFile);
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    const closed = once(child, 'exit').then(() => {
      log.end();
      return network.close();
    });
    const id = await idOf(child, logFile);
    const exited = closed.then(() => this.#supervisors.delete(supervisor));
    const supervisor = asSupervisor(child, id, { network, exited, logFile });
    this.#supervisors.add(supervisor);
  }
}

export interface Settled {
  readonly owner: SupervisorProcess;
  readonly browser: number;
  readonly status: Status;
}

async function idOf(child: ChildProcess, logFile: string): Promise<string> {
  const answer = await Promise.race([
    once(child, 'message').then(([message]) => message as { id: string }),
    once(child, 'exit').then(() => null),
  ]);
  if (answer === null) throw new Error(`the supervisor did not start: ${readFileSync(logFile, 'utf8')}`);
  return answer.id;
}

function asSupervisor(
  child: ChildProcess,
  id: string,
  parts: { network: FaultProxy; exited: Promise<unknown>; logFile: string },
): SupervisorProcess {
  const pid = child.pid as number;
  return {
    id,
    pid,
    network: parts.network,
    exited: parts.exited,
    afflict: (affliction) => void child.send(affliction),
    signal: (name) => isAlive(pid) && signalIfAlive(pid, name),
    log: () => readFileSync(parts.logFile, 'utf8'),
  };
}
