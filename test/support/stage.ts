import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import jsqr from 'jsqr';
import { PNG } from 'pngjs';
import type { Timing } from '../../src/contract/timing.js';
import { JUNE, startWhatsAppWeb, TODAY, type WhatsAppWeb } from '../whatsapp-web/index.js';
import { eventually } from './eventually.js';
import { Product } from './product.js';

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly commandLine: string;
  readonly isZombie: boolean;
}

/**
 * For a machine without a moment to spare: there even a Redis that is well may not answer within the usual 0.6 s, nor a
 * first QR come within the 30 s that a start is waited for.
 */
export const patientTiming = {
  httpCommandTimeoutMs: 5_000,
  authStartWaitMs: 55_000,
} as const satisfies Partial<Timing>;

interface Look extends Process {
  readonly group: string;
  readonly startedAt: string;
  readonly isMarked: boolean;
}

/**
 * Everything that one end-to-end test needs: the stand-in, a directory of its own, and products that all carry a
 * mark in their environment, by which every process that they ever started is found again.
 */
export class Stage {
  readonly #products: Product[] = [];
  readonly #mark: string;
  /**
   * Process groups of browsers seen, each with when its leader started: a renderer's environment is overwritten by its
   * title, and pids are used again.
   */
  readonly #groups = new Map<string, string>();
  readonly dir: string;
  readonly whatsApp: WhatsAppWeb;

  private constructor(dir: string, whatsApp: WhatsAppWeb) {
    this.#mark = `HOLDLINE_TEST_MARK=${randomUUID()}`;
    this.dir = dir;
    this.whatsApp = whatsApp;
  }

  /** On the page of today, or with HOLDLINE_PAGE=june on that of June, unless the options say which. */
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
      WHATSAPP_CHROME_ARGS: this.whatsApp.chromeArgs.map((argument) => `"${argument}"`).join(' '),
      WHATSAPP_TIMING: JSON.stringify(patientTiming),
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

  /** Every process with the mark and every member of a browser's group, zombies included. */
  async processes(): Promise<Process[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const looks = await Promise.all(
      pids.map(async (name) => {
        const [environ = '', cmdline = '', stat = ''] = await Promise.all(
          ['environ', 'cmdline', 'stat'].map((file) =>
            readFile(`/proc/${name}/${file}`, 'latin1').catch(() => ''),
          ),
        );
        // The name stands in parentheses and may contain some itself; the start is the 22nd of all fields.
        const [, state, parent = '', group = '', startedAt = ''] =
          /\) (\S) (\d+) (\d+) (?:\S+ ){16}(\d+) [^)]*$/.exec(stat) ?? [];
        // It has gone while it was looked at.
        if (state === undefined) return [];
        const commandLine = cmdline.replaceAll('\0', ' ');
        return {
          pid: Number(name),
          parent: Number(parent),
          group,
          startedAt,
          commandLine,
          // The embedded Redis overwrites its environment too, but its title has its socket.
          isMarked: environ.split('\0').includes(this.#mark) || cmdline.includes(this.dir),
          isZombie: state === 'Z',
        };
      }),
    );
    const all = looks.flat();
    this.#noteGroups(all);
    const parents = new Set(this.#products.map((product) => product.pid));
    return all.filter(
      (p) => p.isMarked || this.#groups.has(p.group) || (p.isZombie && parents.has(p.parent)),
    );
  }

  /** A group whose number now has another leader is over: while it has members, its number is not given out. */
  #noteGroups(all: readonly Look[]): void {
    const startOf = new Map(all.map(({ pid, startedAt }) => [String(pid), startedAt]));
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

  /** The browsers proper, without their renderers and helpers. */
  async browsers(): Promise<Process[]> {
    const found = (await this.processes()).filter(
      ({ commandLine }) =>
        commandLine.includes('--remote-debugging-pipe') && !commandLine.includes('--type='),
    );
    // A helper that has forked and not yet become itself still has its parent's command line.
    const pids = new Set(found.map(({ pid }) => pid));
    return found.filter(({ parent }) => !pids.has(parent));
  }

  /** Kills the one browser that there is. */
  async killBrowser(): Promise<void> {
    const [browser] = await this.browsers();
    assert.ok(browser, 'a browser to kill');
    kill(browser.pid);
  }

  /** Ends what the test started, and throws if anything of it is left. */
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

/** The text of the QR in a PNG, as a phone's camera would read it. */
export function readQr(png: Buffer): { text: string | null; width: number; height: number } {
  const { data, width, height } = PNG.sync.read(png);
  const decode = jsqr as unknown as typeof jsqr.default;
  return { text: decode(new Uint8ClampedArray(data), width, height)?.data ?? null, width, height };
}

export function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}
