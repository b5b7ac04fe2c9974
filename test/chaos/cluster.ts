import assert from 'node:assert/strict';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Timing } from '../../src/contract/timing.js';
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

/** Three replicas and two supervisors, each with its own proxy to one Redis, and a linked session. */
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
  readonly threadFault: string;
  readonly #stage: Stage;

  static async open(): Promise<ChaosCluster> {
    const stage = await Stage.open();
    const redis = await startRedis({ appendOnly: true });
    const refusing = await Promise.all(Array.from({ length: 5 }, () => startRefusingRedis(redis.port)));
    const networks = await Promise.all(refusing.map(({ port }) => startFaultProxy(port)));
    const cluster = new ChaosCluster(stage, redis, networks, refusing);
    const [replica] = cluster.replicas as [Product];
    // On a busy machine the replica may have no connection to Redis yet.
    const asked = async () => {
      await replica.post('/api/auth/start');
      return (await replica.status()).has_qr;
    };
    await eventually(asked, { timeoutMs: 60_000, intervalMs: 500, message: 'a QR' });
    await stage.whatsApp.phone.scanCurrent();
    await replica.until((s) => s.ready, 'ready after the scan');
    return cluster;
  }

  private constructor(
    stage: Stage,
    redis: RedisServer,
    networks: readonly FaultProxy[],
    refusing: readonly RefusingRedis[],
  ) {
    this.#stage = stage;
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

  get whatsApp(): Stage['whatsApp'] {
    return this.#stage.whatsApp;
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
    await this.whatsApp.faults.clear();
  }

  /** Waits until every replica shows `ready` with the same fence, and there is one browser, one watchdog and no zombie. */
  async settled(timeoutMs: number): Promise<void> {
    await eventually(
      async () => {
        const statuses = await Promise.all(this.replicas.map((replica) => replica.status()));
        for (const status of statuses) assert.ok(status.ready, JSON.stringify(status));
        assert.equal(new Set(statuses.map(({ epoch, incarnation }) => `${epoch}.${incarnation}`)).size, 1);
        const all = await this.#stage.processes();
        const watchdogs = all.filter(({ commandLine }) => commandLine.includes('holdline-watchdog'));
        assert.deepEqual([this.browsers.alive().length, watchdogs.length], [1, 1], 'browsers and watchdogs');
        assert.deepEqual(
          all.filter(({ isZombie }) => isZombie),
          [],
          'zombies',
        );
        return true;
      },
      { timeoutMs, intervalMs: 200, message: 'the session does not come back' },
    );
  }

  /** Throws if a process is left. */
  async close(): Promise<void> {
    this.browsers.stop();
    try {
      await this.#stage.close();
    } finally {
      await Promise.all([...this.networks, ...this.refusing].map((way) => way.close()));
      await this.redis.stop();
    }
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
