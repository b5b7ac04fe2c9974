import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { sessionKeys } from '../../../src/contract/keys.js';
import type { Status } from '../../../src/contract/status.js';
import type { Timing } from '../../../src/contract/timing.js';
import { tryParseStatus } from '../../../src/platform/store/state-store.js';
import { dieWithThisProcess } from '../../support/die-with-this-process.js';
import { eventually } from '../../support/eventually.js';
import { writeLightBrowser } from '../../support/light-browser.js';
import { kill, processesMarked } from '../../support/processes.js';
import { Product } from '../../support/product.js';
import { type RedisServer, startRedis } from '../../support/redis-server.js';
import { busyMachineTiming } from '../../support/stage.js';

const program = fileURLToPath(new URL('../../support/programs/light-supervisor.js', import.meta.url));

export interface FleetOptions {
  readonly sessions: number;
  readonly supervisors: number;
  /** Changes to the shipped timing. */
  readonly timing?: Partial<Timing>;
}

export interface LightSupervisor {
  readonly id: string;
  readonly pid: number;
  readonly exited: Promise<unknown>;
  end(signal: 'SIGKILL' | 'SIGTERM'): void;
}

export interface TimedAnswer {
  readonly ms: number;
  readonly status: number;
  readonly bytes: number;
  readonly text: string;
}

/** As a service of its own, a process gets a share of the processor of its own. */
const ownService = ['setsid'];

/** How many PUTs are under way at once. */
const putsAtOnce = 8;

/**
 * A deployment with real supervisors, a real replica and a real Redis, but light threads and light browsers. Each supervisor has a
 * disk of its own, and room for its part of all sessions when two others are gone.
 */
export class LightFleet {
  readonly sessions: readonly string[];
  readonly redis: RedisServer;
  /** A connection of the benchmark itself. */
  readonly client: Redis;
  readonly http: Product;
  readonly #dir: string;
  readonly #mark = `HOLDLINE_TEST_MARK=scale-${process.pid}-${Date.now()}`;
  readonly #environment: Record<string, string>;
  readonly #agent = new Agent({ keepAlive: true });
  #supervisors: LightSupervisor[] = [];

  static async open(options: FleetOptions): Promise<LightFleet> {
    const fleet = new LightFleet(options, await startRedis({ isService: true }));
    try {
      await fleet.http.get('/livez');
      const starts = Array.from({ length: options.supervisors }, (_, n) => fleet.#startSupervisor(n + 1));
      fleet.#supervisors = await Promise.all(starts);
      return fleet;
    } catch (error) {
      await fleet.close();
      throw error;
    }
  }

  private constructor({ sessions, supervisors, timing = {} }: FleetOptions, redis: RedisServer) {
    const digits = String(sessions).length;
    this.sessions = Array.from({ length: sessions }, (_, n) => `s-${String(n + 1).padStart(digits, '0')}`);
    this.redis = redis;
    this.client = new Redis(redis.url);
    this.#dir = mkdtempSync(join(tmpdir(), 'holdline-scale-'));
    const [markName = '', mark = ''] = this.#mark.split('=');
    this.#environment = {
      [markName]: mark,
      REDIS_URL: redis.url,
      WHATSAPP_CHROME_EXECUTABLE: writeLightBrowser(this.#dir),
      WHATSAPP_RATE_LIMIT: '0',
      // A busy machine may answer late, which is not measured here.
      WHATSAPP_TIMING: JSON.stringify({ ...busyMachineTiming, ...timing }),
      LIGHT_ROOM: String(Math.ceil(sessions / (supervisors - 2))),
    };
    this.http = new Product('http', this.#environment, [], ownService);
  }

  get supervisors(): readonly LightSupervisor[] {
    return this.#supervisors;
  }

  /** Makes all sessions, through the API. */
  makeAll(): Promise<void> {
    return this.#putAll({ metadata: { team: 'sales', note: 'a session of the benchmark' } });
  }

  /** Starts them, through the API. Does not wait until they are ready. */
  startAll(): Promise<void> {
    return this.#putAll({ start: true });
  }

  /** The stored status of each of these sessions, straight from Redis. */
  async statuses(sessions = this.sessions): Promise<Map<string, Status>> {
    const texts = await this.client.mget(sessions.map((session) => sessionKeys(session).state));
    const found = new Map<string, Status>();
    for (const [n, text] of texts.entries()) {
      const status = tryParseStatus(text ?? '');
      if (status !== null) found.set(sessions[n] as string, status);
    }
    return found;
  }

  /** Throws with the number of those that are ready. */
  async untilAllReady(timeoutMs: number): Promise<void> {
    let ready = 0;
    const ids = this.#supervisors.map(({ id }) => id);
    const isReady = ({ ready, supervisor }: Status) => ready && ids.includes(supervisor ?? '');
    await eventually(
      async () => {
        ready = [...(await this.statuses()).values()].filter(isReady).length;
        return ready === this.sessions.length;
      },
      { timeoutMs, intervalMs: 1_000 },
    ).catch(() => {
      throw new Error(
        `only ${ready} of ${this.sessions.length} sessions were ready after ${timeoutMs / 1000} s`,
      );
    });
  }

  /** Sends the signal to a supervisor, which is then none of the fleet. */
  end(supervisor: LightSupervisor, signal: 'SIGKILL' | 'SIGTERM'): void {
    supervisor.end(signal);
    this.#supervisors = this.#supervisors.filter((each) => each !== supervisor);
  }

  /** One call, with its time. All use the same connection. */
  async timedGet(path: string): Promise<TimedAnswer> {
    const url = new URL(path, await this.http.url());
    const startedAt = performance.now();
    const answer: { status: number | undefined; chunks: Buffer[] } = await new Promise((resolve, reject) => {
      const request = get(url, { agent: this.#agent }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('end', () => resolve({ status: response.statusCode, chunks }));
      });
      request.once('error', reject);
    });
    const ms = performance.now() - startedAt;
    const body = Buffer.concat(answer.chunks);
    return { ms, status: answer.status ?? 0, bytes: body.length, text: body.toString() };
  }

  /** Ends everything that it started. The watchdogs end the browsers of a killed supervisor. */
  async close(): Promise<void> {
    this.#agent.destroy();
    for (const supervisor of this.#supervisors) supervisor.end('SIGKILL');
    await Promise.all([...this.#supervisors.map(({ exited }) => exited), this.http.end('SIGTERM')]);
    this.client.disconnect();
    await this.redis.stop();
    const isEmpty = () => processesMarked(this.#mark).length === 0;
    try {
      await eventually(isEmpty, { timeoutMs: 60_000, intervalMs: 250, message: 'all processes have ended' });
    } finally {
      for (const { pid } of processesMarked(this.#mark)) kill(pid);
      await rm(this.#dir, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  async #putAll(body: object): Promise<void> {
    const left = [...this.sessions];
    const put = async () => {
      for (let session = left.shift(); session !== undefined; session = left.shift()) {
        const path = `/api/sessions/${session}`;
        const headers = { 'content-type': 'application/json' };
        const answer = await this.http.get(path, { method: 'PUT', headers, body: JSON.stringify(body) });
        const text = await answer.text();
        // On a busy machine the replica may find Redis too slow, and says so.
        if (answer.status === 503) left.push(session);
        else if (!answer.ok) throw new Error(`PUT ${path}: ${answer.status} ${text}`);
      }
    };
    await Promise.all(Array.from({ length: putsAtOnce }, put));
  }

  async #startSupervisor(number: number): Promise<LightSupervisor> {
    const authDir = join(this.#dir, `auth-${number}`);
    mkdirSync(authDir);
    const logFile = join(this.#dir, `supervisor-${number}.log`);
    const log = openSync(logFile, 'a');
    const child = fork(program, ['supervisor'], {
      env: {
        PATH: process.env.PATH ?? '',
        HOME: process.env.HOME ?? '',
        ...this.#environment,
        WHATSAPP_AUTH_DIR: authDir,
      },
      execArgv: [],
      stdio: ['ignore', log, log, 'ipc'],
      // As with `ownService`.
      detached: true,
    });
    dieWithThisProcess(child, 'KILL');
    const exited = once(child, 'exit');
    return {
      id: await idOf(child, exited, logFile),
      pid: child.pid as number,
      exited,
      end: (signal) => void child.kill(signal),
    };
  }
}

async function idOf(child: ChildProcess, exited: Promise<unknown>, logFile: string): Promise<string> {
  const up = once(child, 'message').then(([message]) => (message as { id: string }).id);
  const ended = exited.then(() => {
    throw new Error(`a supervisor did not start: ${readFileSync(logFile, 'utf8').slice(-2_000)}`);
  });
  ended.catch(() => undefined);
  return Promise.race([up, ended]);
}
