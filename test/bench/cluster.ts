import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Status } from '../../src/contract/status.js';
import { eventually } from '../support/eventually.js';
import { kill } from '../support/processes.js';
import type { Product } from '../support/product.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { replaceFile } from '../support/replace-file.js';
import type { Stage } from '../support/stage.js';

/** Time from a fault until the API showed it, and until the session was ready again. */
export interface Recovery {
  readonly detectedMs: number;
  readonly recoveredMs: number;
}

/**
 * The shipped timing with two changes. A session counts as healthy after one second, so that a measurement need not wait
 * for half a minute. And 100 restarts are allowed, because there are many.
 */
export const benchEnvironment = {
  WHATSAPP_RESTARTS_MAX: '100',
  WHATSAPP_TIMING: JSON.stringify({ healthyAfterMs: 1_000, restartWindowMs: 86_400_000 }),
};

const preload = fileURLToPath(new URL('../../../test/support/programs/thread-fault.cjs', import.meta.url));

/** Two supervisors and an HTTP replica on one Redis, with a linked session. */
export class Cluster {
  readonly #stage: Stage;
  readonly #redis: RedisServer;
  readonly #environment: Record<string, string>;
  readonly #threadFault: string;
  readonly #http: Product;
  #supervisors: Product[];

  static async open(stage: Stage): Promise<Cluster> {
    const cluster = new Cluster(stage, await startRedis({ appendOnly: true }));
    const asked = async () => (await cluster.#http.post<Status>('/api/auth/start')).has_qr;
    await eventually(asked, { timeoutMs: 60_000, intervalMs: 500, message: 'a QR' });
    await stage.whatsApp.phone.scanCurrent();
    await cluster.#http.loginSettled();
    return cluster;
  }

  private constructor(stage: Stage, redis: RedisServer) {
    this.#stage = stage;
    this.#redis = redis;
    this.#threadFault = join(stage.dir, 'thread-fault');
    this.#environment = { ...benchEnvironment, REDIS_URL: redis.url, THREAD_FAULT_FILE: this.#threadFault };
    this.#http = stage.start('http', this.#environment);
    this.#supervisors = [this.#startSupervisor(), this.#startSupervisor()];
  }

  /** The thread exits. Its browser and pages stay. */
  threadDeath(): Promise<Recovery> {
    return this.#measure(async () => {
      replaceFile(this.#threadFault, 'exit');
      await eventually(() => !existsSync(this.#threadFault), { intervalMs: 1 });
    });
  }

  browserDeath(): Promise<Recovery> {
    return this.#measure(async () => kill(await this.#browser()));
  }

  rendererDeath(): Promise<Recovery> {
    return this.#measure(async () => {
      const renderers = (await this.#stage.processes()).filter(({ commandLine }) =>
        commandLine.includes('--type=renderer'),
      );
      for (const { pid } of renderers) kill(pid);
    });
  }

  hungPage(): Promise<Recovery> {
    return this.#measure(() => this.#stage.whatsApp.faults.hangNow());
  }

  /** The supervisor that owns the session gets the signal, and the standby takes over. Starts a new standby. */
  async ownerEnds(signal: 'SIGKILL' | 'SIGTERM'): Promise<Recovery> {
    const owner = await this.#owner();
    const recovery = await this.#measure(async () => owner.signal(signal));
    await owner.exited();
    this.#supervisors = this.#supervisors.filter((supervisor) => supervisor !== owner);
    const standby = this.#startSupervisor();
    this.#supervisors.push(standby);
    await eventually(() => standby.output.includes('supervisor started'), { timeoutMs: 30_000 });
    return recovery;
  }

  async close(): Promise<void> {
    await this.#redis.stop();
  }

  async #measure(inject: () => Promise<unknown>): Promise<Recovery> {
    const before = await this.#http.until((s) => s.ready && isHealthy(s), 'a healthy session');
    await inject();
    const injectedAt = performance.now();
    let detectedAt = 0;
    await this.#http.until((now) => {
      const isNew = now.epoch > before.epoch || now.incarnation > before.incarnation;
      if (detectedAt === 0 && (isNew || !now.ready)) detectedAt = performance.now();
      return isNew && now.ready;
    }, 'ready again');
    return { detectedMs: detectedAt - injectedAt, recoveredMs: performance.now() - injectedAt };
  }

  async #owner(): Promise<Product> {
    const { supervisor } = await this.#http.until((s) => s.ready, 'ready');
    const owner = this.#supervisors.find(({ pid }) => supervisor?.includes(`-${pid}-`));
    assert.ok(owner, `no supervisor ${supervisor}`);
    return owner;
  }

  /** The only living browser: nothing else on the stage has one while the cluster is measured. */
  async #browser(): Promise<number> {
    const [pid] = (await eventually(async () => {
      const alive = await this.#stage.browsers();
      return alive.length === 1 && alive.map((browser) => browser.pid);
    })) as number[];
    return pid as number;
  }

  #startSupervisor(): Product {
    return this.#stage.start('supervisor', this.#environment, ['--require', preload]);
  }
}

/** Ready for long enough that a fault counts as the first after a healthy time. */
function isHealthy({ updated_at }: Status): boolean {
  return Date.now() - Date.parse(updated_at ?? '') > 2_500;
}
