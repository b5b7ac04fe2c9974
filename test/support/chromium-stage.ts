import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Status } from '../../src/contract/status.js';
import type { Timing } from '../../src/contract/timing.js';
import { eventually } from './eventually.js';
import { type Replica, startReplica } from './http-replica.js';
import type { FaultStage, HeldState, SteadySession } from './matrix/fault-row.js';
import { ProcessFinder } from './process-finder.js';
import { allProcesses, childrenOf, kill } from './processes.js';
import type { Product } from './product.js';
import { type RedisServer, startRedis } from './redis-server.js';
import type { SmallDisk } from './small-disk.js';
import { busyMachineTiming, readQr, Stage } from './stage.js';

/** Shortens the deadlines of page and library. Chromium keeps the time that it needs itself. */
const shortenedTiming = {
  startDeadlineMs: 20_000,
  syncDeadlineMs: 20_000,
  loopBeatIntervalMs: 300,
  loopHungAfterMs: 5_000,
  pageCheckIntervalMs: 500,
  pageCheckTimeoutMs: 2_000,
  backupFreezeMs: 1_500,
  readyGraceMs: 1_000,
  reconnectDeadlineMs: 3_000,
  threadStopGraceMs: 2_000,
  healthyAfterMs: 1,
  heartbeatIntervalMs: 500,
  heartbeatTtlMs: 2_000,
  incompatibleRetryMs: 1_500,
  backoffBaseMs: 200,
  backoffMaxMs: 800,
} as const satisfies Partial<Timing>;

type WhatsAppTiming = Awaited<ReturnType<Stage['whatsApp']['timing']['current']>>;

interface ChromiumOptions {
  readonly timing?: Partial<Timing>;
  readonly environment?: (base: Stage) => Record<string, string>;
  readonly nodeArgs?: string[];
  /** The disk for the profile, where it is not to share the directory of everything else. */
  readonly disk?: SmallDisk | null;
  readonly role?: 'all' | 'supervisor';
}

/** One supervisor with the real client in a real Chromium, one Redis, one replica, and the stand-in for WhatsApp Web. */
export class ChromiumStage implements FaultStage {
  readonly redis: RedisServer;
  readonly replica: Replica;
  readonly base: Stage;
  readonly honestWithinMs: number;
  /** Each count reads every process of the machine. */
  readonly countIntervalMs = 200;
  supervisor: Product;
  readonly #environment: Record<string, string>;
  readonly #nodeArgs: string[];
  readonly #role: 'all' | 'supervisor';
  readonly #authDir: string;
  readonly #browsers: ProcessFinder;
  readonly #disk: SmallDisk | null;
  readonly #usualTiming: WhatsAppTiming;
  #isAltered = false;

  static async open(options: ChromiumOptions = {}): Promise<ChromiumStage> {
    const redis = await startRedis({ appendOnly: true });
    const base = await Stage.open();
    const usualTiming = await base.whatsApp.timing.current();
    const replica = await startReplica(redis.url, { timing: busyMachineTiming });
    return new ChromiumStage(redis, replica, { base, usualTiming }, options);
  }

  private constructor(
    redis: RedisServer,
    replica: Replica,
    { base, usualTiming }: { base: Stage; usualTiming: WhatsAppTiming },
    options: ChromiumOptions,
  ) {
    this.#usualTiming = usualTiming;
    this.redis = redis;
    this.replica = replica;
    this.base = base;
    const timing = { ...shortenedTiming, ...options.timing };
    // A page check finds a dead page; a missing heartbeat shows a dead owner.
    this.honestWithinMs = timing.heartbeatTtlMs + timing.pageCheckIntervalMs + 2_000;
    this.#authDir = options.disk?.dir ?? join(base.dir, 'auth');
    this.#browsers = new ProcessFinder(`--user-data-dir=${this.profileDir}`);
    this.#environment = {
      WHATSAPP_AUTH_DIR: this.#authDir,
      REDIS_URL: redis.url,
      WHATSAPP_RESTARTS_MAX: '1000',
      WHATSAPP_TIMING: JSON.stringify(timing),
      ...options.environment?.(base),
    };
    this.#nodeArgs = options.nodeArgs ?? [];
    this.#role = options.role ?? 'supervisor';
    this.#disk = options.disk ?? null;
    this.supervisor = this.#start({});
  }

  get whatsApp(): Stage['whatsApp'] {
    return this.base.whatsApp;
  }

  get profileDir(): string {
    return join(this.#authDir, 'session-default');
  }

  async hold(state: HeldState): Promise<SteadySession> {
    await this.#heal();
    if (state === 'qr') {
      await this.#end('/api/logout');
      await this.#post('/api/auth/start');
    } else {
      await this.#linked();
      if (state !== 'ready') {
        await this.#end('/api/stop');
        await this.whatsApp.faults.set(state === 'starting' ? { stayOpening: true } : { neverSynced: true });
        await this.replica.post('/api/auth/start', { headers: { prefer: 'wait=0' } });
      }
      if (state === 'starting') await this.#opening();
    }
    return this.#steady((s) => s.state === state && s.last_error === null, `${state} is held`);
  }

  async recovered(state: HeldState): Promise<SteadySession> {
    await this.#heal();
    if (state !== 'qr') return this.#steady((s) => s.ready && s.last_error === null, 'ready again');
    await eventually(
      async () => {
        const code = await this.#shownCode();
        return code !== null && code === (await this.whatsApp.phone.currentQr());
      },
      { timeoutMs: 60_000, message: 'a code that can be scanned' },
    );
    return this.#steady((s) => s.has_qr, 'a QR');
  }

  /** Waits until the status is as wanted, and returns it. */
  until(wanted: (status: Status) => boolean, message: string, timeoutMs = 60_000): Promise<Status> {
    let last: Status | undefined;
    return eventually(
      async () => {
        last = await this.replica.status();
        return wanted(last) ? last : null;
      },
      { timeoutMs, message },
    ).catch((cause) => {
      throw new Error(`${message}; last status ${JSON.stringify(last)}`, { cause });
    }) as Promise<Status>;
  }

  /** Restarts the supervisor with a different environment, as on another machine. */
  async moveTo(environment: Record<string, string>): Promise<void> {
    this.#isAltered = true;
    await this.supervisor.end('SIGTERM');
    this.supervisor = this.#start(environment);
  }

  /**
   * A browser leads its process group. A helper that has forked but not yet called exec has the browser's command line
   * too, and some already lead a group; its parent is a browser.
   */
  browserPids(): number[] {
    const found = this.#browsers.find();
    const pids = new Set(found.map(({ pid }) => pid));
    return found.filter(({ pid, group, parent }) => pid === group && !pids.has(parent)).map(({ pid }) => pid);
  }

  /** Starts a second supervisor, by `launcher` on a host of its own name. It becomes `supervisor`. */
  addHost(launcher: readonly string[], environment: Record<string, string> = {}): Product {
    this.supervisor = this.#start(environment, launcher);
    return this.supervisor;
  }

  /** Kills the supervisor, its watchdogs and its browsers at once, as when their machine fails. */
  async killHost(host: Product): Promise<void> {
    const browsers = this.browserPids();
    const watchdogs = childrenOf(host.pid).map(({ pid }) => pid);
    for (const pid of [host.pid, ...watchdogs]) kill(pid, 'SIGKILL');
    for (const pid of browsers) kill(-pid, 'SIGKILL');
    await host.exited();
  }

  /** The renderer processes of the browser. */
  rendererPids(): number[] {
    const groups = this.browserPids();
    return allProcesses()
      .filter(
        ({ group, commandLine }) =>
          groups.includes(group) && commandLine.join(' ').includes('--type=renderer'),
      )
      .map(({ pid }) => pid);
  }

  killBrowser(): void {
    for (const pid of this.browserPids()) kill(pid, 'SIGKILL');
  }

  browsersAlive(): number {
    return this.browserPids().length;
  }

  async acting(): Promise<{ now: number; most: number }> {
    const { devices, mostActingAtOnce } = await this.whatsApp.phone.state();
    return { now: devices.reduce((sum, { acting }) => sum + acting, 0), most: mostActingAtOnce };
  }

  async received(body: string): Promise<number> {
    return (await this.whatsApp.phone.received()).filter((message) => message.body === body).length;
  }

  async assertNoZombies(): Promise<void> {
    await eventually(async () => {
      const zombies = (await this.base.processes()).filter(({ isZombie }) => isZombie);
      assert.deepEqual(zombies, [], 'zombies');
      return true;
    });
  }

  explain(): string {
    return this.supervisor.output.slice(-4_000);
  }

  async close(): Promise<void> {
    await this.base.close();
    await this.#disk?.unmount();
    await this.replica.close();
    await this.redis.stop();
  }

  #start(environment: Record<string, string>, launcher: readonly string[] = []): Product {
    return this.base.start(this.#role, { ...this.#environment, ...environment }, this.#nodeArgs, launcher);
  }

  async #heal(): Promise<void> {
    await this.whatsApp.faults.clear();
    await this.whatsApp.timing.set(this.#usualTiming);
    this.#disk?.free();
    if (!this.#isAltered) return;
    await this.moveTo({});
    this.#isAltered = false;
  }

  /** Scans the code as soon as there is one. */
  async scanned(): Promise<void> {
    await this.until((s) => s.has_qr, 'a QR');
    await eventually(async () => (await this.whatsApp.phone.scanCurrent()).linked, { message: 'linked' });
  }

  /** Waits for `ready`; scans a code if there is no login. */
  async #linked(): Promise<void> {
    const { state } = await this.replica.status();
    if (state !== 'ready') await this.#post('/api/auth/start');
    const shown = await this.until((s) => s.has_qr || s.ready, 'a QR or ready');
    if (shown.ready) return;
    await this.scanned();
    await this.until((s) => s.ready, 'ready after the scan');
  }

  /** Waits until a page has connected and WhatsApp holds it in OPENING. A fault then meets a page that starts. */
  async #opening(): Promise<void> {
    await eventually(
      async () => (await this.whatsApp.phone.state()).connections.some(({ state }) => state === 'OPENING'),
      { timeoutMs: 30_000, message: 'a page that is OPENING' },
    );
  }

  async #end(path: '/api/stop' | '/api/logout'): Promise<void> {
    await this.#post(path);
    await this.until((s) => s.state === 'stopped', 'stopped');
  }

  async #post(path: string): Promise<void> {
    const answer = await this.replica.post(path);
    assert.equal(answer.status, 200, await answer.text());
  }

  async #steady(wanted: (status: Status) => boolean, message: string): Promise<SteadySession> {
    await this.until(wanted, message);
    return eventually(
      async () => {
        const status = await this.replica.status();
        assert.ok(wanted(status), JSON.stringify(status));
        const [browser = 0, ...more] = this.browserPids();
        assert.deepEqual([browser > 0, more], [true, []]);
        return { status, browser };
      },
      { timeoutMs: 30_000, message },
    );
  }

  async #shownCode(): Promise<string | null> {
    const answer = await this.replica.get('/qr.png');
    const png = Buffer.from(await answer.arrayBuffer());
    return answer.status === 200 ? readQr(png).text : null;
  }
}
