import assert from 'node:assert/strict';
import { setTimeout as lasting } from 'node:timers/promises';
import type { Status } from '../../src/contract/status.js';
import type { Timing } from '../../src/contract/timing.js';
import { type Account, startAccount } from './account.js';
import { makeKeyText } from './credentials.js';
import { eventually } from './eventually.js';
import { kill } from './processes.js';
import type { Product } from './product.js';
import { type RedisServer, startRedis } from './redis-server.js';
import type { Stage } from './stage.js';

export const neighbours = ['a', 'b', 'c'] as const;
export type Neighbour = (typeof neighbours)[number];

/** The ceiling of a browser's memory, MB: far above that of a page with few messages, and below that of one that has grown. */
const ceilingMb = 500;

interface NeighboursChanges {
  readonly timing?: Partial<Timing>;
  readonly environment?: Record<string, string>;
}

/** Three sessions with accounts of their own and real browsers, on one supervisor, with one replica and one Redis. */
export class Neighbours {
  readonly redis: RedisServer;
  readonly supervisor: Product;
  readonly replica: Product;
  readonly accounts: Readonly<Record<Neighbour, Account>>;
  readonly #stage: Stage;

  /** The shipped timing, except for what a recycling needs, and with `changes`. */
  static async open(stage: Stage, changes: NeighboursChanges = {}): Promise<Neighbours> {
    const [a, b, c] = await Promise.all([startAccount(1), startAccount(2), startAccount(3)]);
    const opened = new Neighbours(stage, await startRedis({ appendOnly: true }), { a, b, c }, changes);
    await opened.supervisor.runs();
    for (const session of neighbours) await opened.#link(session);
    return opened;
  }

  private constructor(
    stage: Stage,
    redis: RedisServer,
    accounts: Record<Neighbour, Account>,
    { timing = {}, environment: more = {} }: NeighboursChanges,
  ) {
    this.#stage = stage;
    this.redis = redis;
    this.accounts = accounts;
    const environment = {
      REDIS_URL: redis.url,
      WHATSAPP_CREDENTIALS_KEY: makeKeyText(),
      // What one session may do must not depend on the limits of callers.
      WHATSAPP_RATE_LIMIT: '0',
      WHATSAPP_RESTARTS_MAX: '100',
      WHATSAPP_BROWSER_MEMORY_MB: String(ceilingMb),
      WHATSAPP_TIMING: JSON.stringify({
        ...{
          restartWindowMs: 86_400_000,
          memoryCheckMs: 5_000,
          recycleQuietMs: 500,
          recycleSpacingMs: 1_000,
        },
        ...timing,
      }),
      ...more,
    };
    this.supervisor = stage.start('supervisor', environment);
    this.replica = stage.start('http', environment);
  }

  async call<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const response = await this.replica.get(path, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as T };
  }

  async status(session: Neighbour): Promise<Status> {
    const { status, body } = await this.call<Status>('GET', `/api/sessions/${session}/status`);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  }

  async until(session: Neighbour, wanted: (status: Status) => boolean, message: string): Promise<Status> {
    let last: Status | undefined;
    const found = await eventually(
      async () => {
        last = await this.status(session);
        return wanted(last) && last;
      },
      { timeoutMs: 90_000, intervalMs: 50, message: `${session} ${message}` },
    ).catch((error) => {
      throw new Error(`${JSON.stringify(last)}\n${this.supervisor.output.slice(-4_000)}`, { cause: error });
    });
    return found as Status;
  }

  async untilReady(session: Neighbour): Promise<Status> {
    return this.until(session, ({ ready }) => ready, 'is ready');
  }

  /** The main process of the session's browser; undefined: there is none. */
  async browser(session: Neighbour): Promise<number | undefined> {
    const found = (await this.#stage.browsers()).filter(({ commandLine }) =>
      commandLine.includes(`session-${session} `),
    );
    return found[0]?.pid;
  }

  async close(): Promise<void> {
    await Promise.all([this.replica.end('SIGTERM'), this.supervisor.end('SIGTERM')]);
    await Promise.all(Object.values(this.accounts).map((account) => account.close()));
    await this.redis.stop();
  }

  async #link(session: Neighbour): Promise<void> {
    const { proxy, phone } = this.accounts[session];
    const made = await this.call('PUT', `/api/sessions/${session}`, { proxy, start: true });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    await this.until(session, ({ has_qr }) => has_qr, 'has a QR');
    await phone.scanCurrent();
    await this.untilReady(session);
  }
}

/** Something that a session has until the signal aborts. */
export type Trouble = (stage: Neighbours, signal: AbortSignal) => Promise<void>;

/** What can be wrong with session `a`, each with a sentence for a table. */
export const troubles = {
  'its browser is killed whenever it is ready': async (stage, signal) => {
    while (!signal.aborted) {
      const { ready } = await stage.status('a');
      const browser = ready ? await stage.browser('a') : undefined;
      if (browser === undefined) await lasting(50);
      else kill(browser);
    }
  },
  'it gets 200 messages a second': async (stage, signal) => {
    const { phone } = stage.accounts.a;
    for (let at = performance.now(); !signal.aborted; at += 100) {
      await phone.mass(20, 10);
      await lasting(Math.max(0, at + 100 - performance.now()));
    }
  },
  'its queue is full': async (stage, signal) => {
    const client = async () => {
      while (!signal.aborted) {
        const { status } = await stage.call(
          'POST',
          '/api/sessions/a/send',
          { phone_number: '15551230000', message: 'one of many' },
          { prefer: 'respond-async' },
        );
        if (status !== 429) continue;
        // Sooner than it is told to. A client that does not wait at all meets the limit of requests.
        await lasting(1_000, undefined, { signal }).catch(() => undefined);
      }
    };
    await Promise.all(Array.from({ length: 8 }, client));
  },
  'its page hangs': async (stage, signal) => {
    while (!signal.aborted) {
      const { incarnation } = await stage.untilReady('a');
      await stage.accounts.a.faults.hangNow();
      while (!signal.aborted && (await stage.status('a')).incarnation === incarnation) await lasting(100);
    }
  },
  'its browser is replaced for its memory': async (stage, signal) => {
    while (!signal.aborted) {
      const { incarnation } = await stage.untilReady('a');
      await stage.accounts.a.faults.growNow();
      while (!signal.aborted && (await stage.status('a')).incarnation === incarnation) await lasting(100);
    }
  },
} as const satisfies Record<string, Trouble>;

export type TroubleName = keyof typeof troubles;
