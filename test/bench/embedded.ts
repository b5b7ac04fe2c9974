import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as lasting } from 'node:timers/promises';
import type { Status } from '../../src/contract/status.js';
import { kill } from '../support/processes.js';
import type { Product } from '../support/product.js';
import type { Stage } from '../support/stage.js';
import { benchEnvironment } from './cluster.js';

const idleMs = 3_000;

/** The product as one process with its embedded Redis, in its own directory on the stage. */
export class Embedded {
  readonly #stage: Stage;
  readonly #environment: Record<string, string>;
  #epoch = 0;

  constructor(stage: Stage, name: string) {
    this.#stage = stage;
    this.#environment = {
      ...benchEnvironment,
      WHATSAPP_DATA_DIR: join(stage.dir, name, 'data'),
      WHATSAPP_AUTH_DIR: join(stage.dir, name, 'auth'),
    };
  }

  start(): Product {
    return this.#stage.start('all', this.#environment);
  }

  /** Links the account, then kills all processes, as a power cut would. */
  async linkAndKill(): Promise<void> {
    const product = this.start();
    await product.post<Status>('/api/auth/start');
    await this.#stage.whatsApp.phone.scanCurrent();
    this.#epoch = (await product.loginSettled()).epoch;
    await this.#killAll();
  }

  /** Time from the start of node to `ready` after everything was killed, ms. Then kills everything again. */
  async revive(): Promise<number> {
    const startedAt = performance.now();
    // Until its heartbeat lapses, Redis still shows the state of the killed run.
    const isNew = (status: Status) => status.ready && status.epoch > this.#epoch;
    const { epoch } = await this.start().until(isNew, 'ready after everything was killed');
    const tookMs = performance.now() - startedAt;
    this.#epoch = epoch;
    await this.#killAll();
    return tookMs;
  }

  /** Time from the start request to its answer with a QR, ms. The profile is new, and the product was idle before. */
  async startToQr(): Promise<number> {
    const product = this.start();
    try {
      await product.url();
      await product.until((s) => s.state === 'stopped', 'idle');
      // The first worker thread is still loading its modules. An operator's product has run for a while.
      await lasting(idleMs);
      const askedAt = performance.now();
      const { state } = await product.post<Status>('/api/auth/start');
      if (state !== 'qr') throw new Error(`the start answered ${state}`);
      return performance.now() - askedAt;
    } finally {
      await product.end('SIGTERM');
      for (const directory of ['WHATSAPP_DATA_DIR', 'WHATSAPP_AUTH_DIR']) {
        await rm(this.#environment[directory] as string, { recursive: true, force: true, maxRetries: 5 });
      }
    }
  }

  async #killAll(): Promise<void> {
    for (const { pid } of await this.#stage.processes()) kill(pid);
    await this.#stage.nothingLeft();
  }
}
