import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import jsqr from 'jsqr';
import { PNG } from 'pngjs';
import type { Timing } from '../../src/contract/timing.js';
import { JUNE, startWhatsAppWeb, TODAY, type WhatsAppWeb } from '../whatsapp-web/index.js';
import { chromeArgsVariable } from './chrome-args.js';
import { eventually } from './eventually.js';
import { allProcesses, kill } from './processes.js';
import { Product } from './product.js';

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly commandLine: string;
  readonly isZombie: boolean;
}

/**
 * For a busy machine. There a healthy Redis may not answer within the usual 0.6 s, and a first QR may not come within the
 * usual 30 s for which a start waits.
 */
export const busyMachineTiming = {
  httpCommandTimeoutMs: 5_000,
  authStartWaitMs: 55_000,
} as const satisfies Partial<Timing>;

interface MarkedProcess extends Process {
  readonly group: number;
  readonly startedAt: string;
  readonly isMarked: boolean;
}

/**
 * Everything that an end-to-end test needs: the stand-in, a directory, and products. Their environment contains a mark,
 * by which the stage finds every process that they started.
 */
export class Stage {
  readonly #products: Product[] = [];
  readonly #mark: string;
  /**
   * Process groups of browsers found so far, with the start time of their leader: a renderer overwrites its environment
   * with its title, and pids are reused.
   */
  readonly #groups = new Map<number, string>();
  readonly dir: string;
  readonly whatsApp: WhatsAppWeb;

  private constructor(dir: string, whatsApp: WhatsAppWeb) {
    this.#mark = `HOLDLINE_TEST_MARK=${randomUUID()}`;
    this.dir = dir;
    this.whatsApp = whatsApp;
  }

  /** Uses the page of today, or with HOLDLINE_PAGE=june that of June. `options.page` overrides both. */
  static async open(options: Parameters<typeof startWhatsAppWeb>[0] = {}): Promise<Stage> {
    const dir = await mkdtemp(join(tmpdir(), 'holdline-e2e-'));
    const page = process.env.HOLDLINE_PAGE === 'june' ? JUNE : TODAY;
    return new Stage(dir, await startWhatsAppWeb({ page, ...options }));
  }

  get environment(): Record<string, string> {
    const [name = '', value = ''] = this.#mark.split('=');
    return {
      [name]: value,
      WHATSAPP_DATA_DIR: join(this.dir, 'data'),
      WHATSAPP_AUTH_DIR: join(this.dir, 'auth'),
      WHATSAPP_CHROME_ARGS: chromeArgsVariable(this.whatsApp.chromeArgs),
      WHATSAPP_TIMING: JSON.stringify(busyMachineTiming),
    };
  }

  start(
    role: 'all' | 'http' | 'supervisor' = 'all',
    environment: Record<string, string> = {},
    nodeArgs: string[] = [],
    launcher: readonly string[] = [],
  ): Product {
    const product = new Product(role, { ...this.environment, ...environment }, nodeArgs, launcher);
    this.#products.push(product);
    return product;
  }

  /** Every process with the mark and every member of a browser's group, including zombies. */
  async processes(): Promise<Process[]> {
    const all = allProcesses().map((facts): MarkedProcess => {
      const { pid, parent, group, startedAt, state, environment } = facts;
      const commandLine = facts.commandLine.join(' ');
      return {
        ...{ pid, parent, group, startedAt, commandLine },
        // The embedded Redis overwrites its environment, but its title contains the path of its socket.
        isMarked: environment.includes(this.#mark) || commandLine.includes(this.dir),
        isZombie: state === 'Z',
      };
    });
    this.#noteGroups(all);
    const parents = new Set(this.#products.map((product) => product.pid));
    return all.filter(
      (p) => p.isMarked || this.#groups.has(p.group) || (p.isZombie && parents.has(p.parent)),
    );
  }

  /** Forgets a group whose number has a new leader: the number is only reused when the group has no members. */
  #noteGroups(all: readonly MarkedProcess[]): void {
    const startOf = new Map(all.map(({ pid, startedAt }) => [pid, startedAt]));
    for (const [group, leader] of this.#groups) {
      if ((startOf.get(group) ?? leader) !== leader) this.#groups.delete(group);
    }
    for (const { group, commandLine, isMarked } of all) {
      const leader = startOf.get(group);
      if (isMarked && leader !== undefined && commandLine.includes('--remote-debugging-pipe')) {
        this.#groups.set(group, leader);
      }
    }
  }

  /** The main processes of browsers, without renderers and helpers. */
  async browsers(): Promise<Process[]> {
    const found = (await this.processes()).filter(
      ({ commandLine }) =>
        commandLine.includes('--remote-debugging-pipe') && !commandLine.includes('--type='),
    );
    // A helper that has forked but not yet called exec still has its parent's command line.
    const pids = new Set(found.map(({ pid }) => pid));
    return found.filter(({ parent }) => !pids.has(parent));
  }

  /** Kills the only browser. */
  async killBrowser(): Promise<void> {
    const [browser] = await this.browsers();
    assert.ok(browser, 'a browser to kill');
    kill(browser.pid);
  }

  /** Stops the only browser, until the returned function lets it go on. */
  async freezeBrowser(): Promise<() => void> {
    const [browser] = await this.browsers();
    assert.ok(browser, 'a browser to freeze');
    process.kill(browser.pid, 'SIGSTOP');
    return () => process.kill(browser.pid, 'SIGCONT');
  }

  /** Ends everything that the test started. Throws if a process is left. */
  async close(): Promise<void> {
    await Promise.all(this.#products.map((product) => product.end('SIGTERM')));
    await this.whatsApp.close();
    try {
      await this.nothingLeft();
    } finally {
      for (const { pid } of await this.processes()) kill(pid);
      await rm(this.dir, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  async nothingLeft(): Promise<void> {
    let left: Process[] = [];
    const isEmpty = async () => {
      left = await this.processes();
      return left.length === 0;
    };
    await eventually(isEmpty, { timeoutMs: 30_000 }).catch(() => {
      throw new Error(`left over: ${JSON.stringify(left)}`);
    });
  }
}

/** Decodes the QR in a PNG. */
export function readQr(png: Buffer): { text: string | null; width: number; height: number } {
  const { data, width, height } = PNG.sync.read(png);
  const decode = jsqr as unknown as typeof jsqr.default;
  return { text: decode(new Uint8ClampedArray(data), width, height)?.data ?? null, width, height };
}
