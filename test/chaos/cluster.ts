import assert from 'node:assert/strict';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatFence, type Status } from '../../src/contract/status.js';
import type { Timing } from '../../src/contract/timing.js';
import { type Account, startAccount } from '../support/account.js';
import { eventually } from '../support/eventually.js';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.js';
import type { Product } from '../support/product.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { type RefusingRedis, startRefusingRedis } from '../support/refusing-redis.js';
import { Stage } from '../support/stage.js';
import { BrowserCounter } from './browser-counter.js';

/** A shortened timing table, so that each event happens several times a minute. Every relation holds. */
const timing = {
  lockDurationMs: 6_000,
  renewIntervalMs: 600,
  giveUpMs: 3_200,
  guardTimeoutMs: 3_600,
  killAllowanceMs: 1_000,
  stalledIntervalMs: 500,
  drainDelayMs: 1_000,
  socketTimeoutMs: 2_000,
  heartbeatIntervalMs: 400,
  heartbeatTtlMs: 1_200,
  startDeadlineMs: 20_000,
  syncDeadlineMs: 20_000,
  loopBeatIntervalMs: 300,
  loopHungAfterMs: 5_000,
  watchIntervalMs: 200,
  pageCheckIntervalMs: 500,
  pageCheckTimeoutMs: 3_000,
  backupFreezeMs: 2_000,
  readyGraceMs: 500,
  reconnectDeadlineMs: 4_000,
  threadStopGraceMs: 2_000,
  browserTermGraceMs: 1_000,
  browserFlushGraceMs: 3_000,
  backupStopMs: 3_000,
  ackDeadlineMs: 6_000,
  sendHungMs: 6_000,
  backoffBaseMs: 200,
  backoffMaxMs: 1_500,
  healthyAfterMs: 3_000,
  shutdownMs: 10_000,
} as const satisfies Partial<Timing>;

const preload = fileURLToPath(new URL('../../../test/support/programs/thread-fault.cjs', import.meta.url));

type Role = 'http' | 'supervisor';

/** A session and the account that it is linked to. */
export interface ChaosSession {
  readonly name: string;
  readonly account: Account;
  /** The number of the account. */
  readonly wid: string;
}

export const sessionNames = ['default', 'sales', 'support'] as const;

/** Three replicas and two supervisors, each with its own proxy to one Redis, and three linked sessions with accounts of their own. */
export class ChaosCluster {
  readonly redis: RedisServer;
  /** Proxies to Redis: of supervisors 0 and 1, then of replicas 0 to 2. */
  readonly networks: readonly FaultProxy[];
  /** The refusing proxy behind each of these. */
  readonly refusing: readonly RefusingRedis[];
  readonly supervisors: Product[] = [];
  readonly replicas: Product[] = [];
  readonly browsers: BrowserCounter;
  /** Every product ever started. */
  readonly started: { readonly name: string; readonly role: Role; readonly product: Product }[] = [];
  readonly sessions: readonly ChaosSession[];
  readonly threadFault: string;
  readonly #stage: Stage;

  static async open(): Promise<ChaosCluster> {
    const stage = await Stage.open();
    const redis = await startRedis({ appendOnly: true });
    const refusing = await Promise.all(Array.from({ length: 5 }, () => startRefusingRedis(redis.port)));
    const networks = await Promise.all(refusing.map(({ port }) => startFaultProxy(port)));
    const sessions = await Promise.all(sessionNames.map(sessionOf));
    const cluster = new ChaosCluster(stage, redis, networks, refusing, sessions);
    await Promise.all(sessions.map((session) => cluster.#link(session)));
    return cluster;
  }

  private constructor(
    stage: Stage,
    redis: RedisServer,
    networks: readonly FaultProxy[],
    refusing: readonly RefusingRedis[],
    sessions: readonly ChaosSession[],
  ) {
    this.#stage = stage;
    this.sessions = sessions;
    this.redis = redis;
    this.networks = networks;
    this.refusing = refusing;
    this.threadFault = join(stage.dir, 'thread-fault');
    for (const index of [0, 1]) this.startSupervisor(index);
    for (const index of [0, 1, 2]) this.startReplica(index);
    this.browsers = new BrowserCounter(() => this.running.map(({ product }) => product.pid));
  }

  /** Products that still run. The pid of an ended one may belong to another process by now. */
  get running(): ChaosCluster['started'] {
    return this.started.filter(({ product }) => product.isRunning);
  }

  /** How many pages were opened that did not use the proxy of a session. */
  async straying(): Promise<number> {
    return (await this.#stage.whatsApp.phone.state()).pagesEver;
  }

  /** Throws if the answer is an error. */
  async status(replica: Product, session: string): Promise<Status> {
    const answer = await replica.get(`/api/sessions/${session}/status`);
    const body = await answer.json();
    assert.equal(answer.status, 200, JSON.stringify(body));
    return body as Status;
  }

  startSupervisor(index: number): void {
    this.supervisors[index] = this.#start('supervisor', index, index, ['--require', preload]);
  }

  startReplica(index: number): void {
    this.replicas[index] = this.#start('http', index, 2 + index, []);
  }

  /** Ends every fault that still lasts. */
  async heal(): Promise<void> {
    for (const supervisor of this.supervisors) supervisor.signal('SIGCONT');
    this.redis.signal('SIGCONT');
    for (const network of this.networks) network.open();
    for (const redis of this.refusing) redis.lift();
    // A product that started while Redis refused it a right has ended. In production its service would restart it.
    for (const [index, { isRunning }] of this.supervisors.entries())
      if (!isRunning) this.startSupervisor(index);
    for (const [index, { isRunning }] of this.replicas.entries()) if (!isRunning) this.startReplica(index);
    await Promise.all(this.sessions.map(({ account }) => account.faults.clear()));
  }

  /** Waits until every replica shows each session `ready` with one fence, and each has one browser and one watchdog; no zombie. */
  async settled(timeoutMs: number): Promise<void> {
    await eventually(
      async () => {
        for (const { name } of this.sessions) {
          const statuses = await Promise.all(this.replicas.map((replica) => this.status(replica, name)));
          for (const status of statuses) assert.ok(status.ready, JSON.stringify(status));
          assert.equal(new Set(statuses.map(formatFence)).size, 1, name);
          assert.equal(this.browsers.alive(name).length, 1, `browsers of ${name}`);
        }
        const all = await this.#stage.processes();
        const watchdogs = all.filter(({ commandLine }) => commandLine.includes('holdline-watchdog'));
        assert.equal(watchdogs.length, this.sessions.length, 'watchdogs');
        assert.deepEqual(
          all.filter(({ isZombie }) => isZombie),
          [],
          'zombies',
        );
        return true;
      },
      { timeoutMs, intervalMs: 200, message: 'not every session comes back' },
    );
  }

  /** Throws if a process is left. */
  async close(): Promise<void> {
    this.browsers.stop();
    try {
      await this.#stage.close();
    } finally {
      const others = [...this.networks, ...this.refusing, ...this.sessions.map(({ account }) => account)];
      await Promise.all(others.map((way) => way.close()));
      await this.redis.stop();
    }
  }

  async #link({ name, account }: ChaosSession): Promise<void> {
    const [replica] = this.replicas as [Product];
    // On a busy machine the replica may have no connection to Redis yet.
    const asked = async () => {
      await replica.get(`/api/sessions/${name}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ proxy: account.proxy, start: true }),
      });
      return (await this.status(replica, name)).has_qr;
    };
    await eventually(asked, { timeoutMs: 60_000, intervalMs: 500, message: `a QR of ${name}` });
    await account.phone.scanCurrent();
    await eventually(async () => (await this.status(replica, name)).ready, {
      timeoutMs: 60_000,
      message: `${name} is ready after the scan`,
    });
  }

  #start(role: Role, index: number, network: number, nodeArgs: string[]): Product {
    const product = this.#stage.start(
      role,
      {
        REDIS_URL: `redis://127.0.0.1:${this.networks[network]?.port}`,
        THREAD_FAULT_FILE: this.threadFault,
        WHATSAPP_RESTARTS_MAX: '1000',
        WHATSAPP_TIMING: JSON.stringify(timing),
      },
      nodeArgs,
    );
    this.started.push({ name: `${role} ${index}`, role, product });
    return product;
  }
}

async function sessionOf(name: string, nth: number): Promise<ChaosSession> {
  const account = await startAccount(nth + 1);
  return { name, account, wid: (await account.phone.state()).account.wid };
}
