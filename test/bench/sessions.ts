import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Status } from '../../src/contract/status.js';
import { eventually } from '../support/eventually.js';
import { membersOfGroup, pssKib, withDescendants } from '../support/processes.js';
import type { Product } from '../support/product.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { readQr, type Stage } from '../support/stage.js';

/** For a busy machine: what takes how long is not measured here. */
const busyMs = 300_000;

/** KiB (PSS). */
export interface Memory {
  /** The process of node, with its watchdogs. */
  readonly node: number;
  /** All browsers below it. */
  readonly browser: number;
}

/** A supervisor with linked, idle sessions in one kind of browser. */
export class Sessions {
  readonly redis: RedisServer;
  readonly #stage: Stage;
  readonly #supervisor: Product;
  readonly #http: Product;
  #count = 0;

  /** `executable`: the browser. `name`: of its directory on the stage. */
  static async open(stage: Stage, name: string, executable: string): Promise<Sessions> {
    return new Sessions(stage, await startRedis(), {
      WHATSAPP_CHROME_EXECUTABLE: executable,
      WHATSAPP_AUTH_DIR: join(stage.dir, name),
      WHATSAPP_MAX_SESSIONS: '100',
    });
  }

  private constructor(stage: Stage, redis: RedisServer, environment: Record<string, string>) {
    this.#stage = stage;
    this.redis = redis;
    const all = { ...environment, REDIS_URL: redis.url };
    this.#supervisor = stage.start('supervisor', all);
    this.#http = stage.start('http', all);
  }

  /** Starts and links more sessions, one after another, until there are `count`. */
  async growTo(count: number): Promise<void> {
    while (this.#count < count) await this.#add(`s${++this.#count}`);
  }

  get memory(): Memory {
    return memoryOf(this.#supervisor.pid);
  }

  async close(): Promise<void> {
    await Promise.all([this.#http.end('SIGTERM'), this.#supervisor.end('SIGTERM')]);
    await eventually(() => membersOfGroup(this.#supervisor.pid).length === 0);
    await this.redis.stop();
  }

  async #add(name: string): Promise<void> {
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'PUT', headers, body: JSON.stringify({ start: true }) };
    const made = await this.#http.get(`/api/sessions/${name}`, init);
    assert.equal(made.status, 201, `PUT of the session ${name}`);
    const image = () => this.#http.get(`/sessions/${name}/qr.png`);
    const isLinked = async () => {
      const response = await image();
      const png = Buffer.from(await response.arrayBuffer());
      if (!response.ok) return false;
      return (await this.#stage.whatsApp.phone.scan(readQr(png).text ?? '')).linked;
    };
    await eventually(isLinked, { timeoutMs: busyMs, message: `${name} is scanned` });
    const isReady = async () => {
      const status = await this.#http.get(`/api/sessions/${name}/status`);
      return ((await status.json()) as Status).ready;
    };
    await eventually(isReady, { timeoutMs: busyMs, message: `${name} is ready` });
  }
}

/** Of a process, with the browsers below it. */
export function memoryOf(pid: number): Memory {
  let [node, browser] = [0, 0];
  for (const { pid: member, commandLine } of withDescendants([pid])) {
    const kib = pssKib(member);
    if (commandLine[0]?.includes('chrom')) browser += kib;
    else node += kib;
  }
  return { node, browser };
}
