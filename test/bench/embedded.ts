import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as lasting } from 'node:timers/promises';
import type { Status } from '../../src/contract/status.js';
import type { Product } from '../support/product.js';
import { kill, type Stage } from '../support/stage.js';
import { rested } from './cluster.js';

const idleMs = 3_000;

/** The product as one process with a Redis of its own, in a directory of its own on the stage. */
export class Embedded {
  readonly #stage: Stage;
  readonly #environment: Record<string, string>;
  #epoch = 0;

  constructor(stage: Stage, name: string) {
    this.#stage = stage;
    this.#environment = {
      ...rested,
      WHATSAPP_DATA_DIR: join(stage.dir, name, 'data'),
      WHATSAPP_AUTH_DIR: join(stage.dir, name, 'auth'),
    };
  }

  start(): Product {
    return this.#stage.start('all', this.#environment);
  }

  /** Links it, and leaves it as a power cut would. */
  async linkAndKill(): Promise<void> {
    const product = this.start();
    await product.post<Status>('/api/auth/start');
    await this.#stage.whatsApp.phone.scanCurrent();
    this.#epoch = (await product.loginSettled()).epoch;
    await this.#killAll();
  }

  /** From the start of node to `ready` of a session whose parts were all killed, in ms. Kills them again. */
  async revive(): Promise<number> {
    const startedAt = performance.now();
    // For one heartbeat's life Redis still has the state of the run that was killed.
    const isNew = (status: Status) => status.ready && status.epoch > this.#epoch;
    const { epoch } = await this.start().until(isNew, 'ready after everything was killed');
    const tookMs = performance.now() - startedAt;
    this.#epoch = epoch;
    await this.#killAll();
    return tookMs;
  }

  /** From the request to its answer with a QR, with a new profile; the product idles before. */
  async startToQr(): Promise<number> {
    const product = this.start();
    try {
      await product.url();
      await product.until((s) => s.state === 'stopped', 'idle');
      // Its first worker thread still loads its modules; an operator's product has run for a while.
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
