import { readdirSync, readFileSync } from 'node:fs';
import { eventually } from '../support/eventually.js';
import { allProcesses } from '../support/processes.js';
import type { ChaosCluster } from './cluster.js';
import { KeyCensus, type KeyCount, otherKeys } from './key-census.js';

const intervalMs = 2_000;
/** Samples that a figure is the median of: 20 s. */
const windowSize = 10;
const firstLookAfterMs = 300_000;
/** A run of this length is judged: it has its second half for a leak to show. Memory shows one sooner. */
const judgedFromS = { memory: 120, rest: 600 };

/** How much may be added; of a role it is its largest process, whichever life it is in. */
const allowed = {
  'MB of a replica': 40,
  // One that carries the session has its threads, and its connections to the browser.
  'MB of a supervisor': 150,
  'descriptors of a replica': 25,
  'descriptors of a supervisor': 40,
  'threads of a replica': 8,
  'threads of a supervisor': 12,
  // A browser has more helpers or fewer.
  processes: 12,
} as const;
const allowedKeys = 30;

type Figure = keyof typeof allowed;
type Sample = Record<Figure, number>;
const figures = Object.keys(allowed) as readonly Figure[];

interface Look {
  readonly sample: Sample;
  readonly keys: KeyCount;
}

/** What the product holds at the end of a run, compared with what it held five minutes after the start. */
export class Growth {
  readonly #cluster: ChaosCluster;
  readonly #census: KeyCensus;
  readonly #seconds: number;
  readonly #samples: Sample[] = [];
  readonly #timers: NodeJS.Timeout[];
  #first: Promise<Look> | null = null;

  constructor(cluster: ChaosCluster, seconds: number) {
    this.#cluster = cluster;
    this.#census = new KeyCensus(cluster.redis.url);
    this.#seconds = seconds;
    const firstLookMs = Math.min(firstLookAfterMs, seconds * 500);
    this.#timers = [
      setInterval(() => this.#samples.push(this.#sample()), intervalMs),
      setTimeout(() => this.#lookFirst(), firstLookMs),
    ];
  }

  /** One line for each figure; complains of those that have climbed, where the run was long enough to tell. */
  async judge(complain: (what: string) => void): Promise<string[]> {
    for (const timer of this.#timers) clearInterval(timer);
    try {
      if (this.#first === null) return ['the run was too short to compare anything'];
      const compared = compare(await this.#first, await this.#look());
      return compared.map(({ what, from, to, most }) => {
        const line = `${what}: ${from}, then ${to}`;
        const judgedFrom = what.startsWith('MB') ? judgedFromS.memory : judgedFromS.rest;
        if (this.#seconds >= judgedFrom && to - from > most) complain(`it climbs: ${line}`);
        return line;
      });
    } catch (error) {
      complain(`what the product holds could not be compared: ${String(error)}`);
      return [];
    } finally {
      this.#census.close();
    }
  }

  #lookFirst(): void {
    this.#first = this.#look();
    // It is told when the run is judged.
    this.#first.catch(() => undefined);
  }

  async #look(): Promise<Look> {
    const sample = this.#recent();
    // Redis may be loading.
    const keys = await eventually(() => this.#census.count(), { timeoutMs: 30_000, intervalMs: 500 });
    return { sample, keys };
  }

  #sample(): Sample {
    const { running } = this.#cluster;
    const sample = Object.fromEntries(figures.map((figure) => [figure, 0])) as Sample;
    for (const { role, product } of running) {
      const facts = factsOf(product.pid);
      for (const unit of ['MB', 'descriptors', 'threads'] as const) {
        const figure: Figure = `${unit} of a ${role === 'http' ? 'replica' : 'supervisor'}`;
        sample[figure] = Math.max(sample[figure], facts?.[unit] ?? 0);
      }
    }
    sample.processes = withDescendants(running.map(({ product }) => product.pid));
    return sample;
  }

  /** A fault may be under way: not one moment, but the middle of the newest. */
  #recent(): Sample {
    const newest = this.#samples.slice(-windowSize);
    const middle = (figure: Figure) =>
      newest.map((sample) => sample[figure]).sort((a, b) => a - b)[newest.length >> 1] ?? 0;
    return Object.fromEntries(figures.map((figure) => [figure, middle(figure)])) as Sample;
  }
}

function compare(first: Look, last: Look): { what: string; from: number; to: number; most: number }[] {
  return [
    ...figures.map((what) => ({
      what,
      from: first.sample[what],
      to: last.sample[what],
      most: allowed[what],
    })),
    ...[...last.keys].map(([what, to]) => {
      // Of the others there are as many as there were commands.
      const most = what === otherKeys ? allowedKeys : Number.POSITIVE_INFINITY;
      return { what, from: first.keys.get(what) ?? 0, to, most };
    }),
  ];
}

/** null: it has ended meanwhile. */
function factsOf(pid: number): Record<'MB' | 'descriptors' | 'threads', number> | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
    const descriptors = readdirSync(`/proc/${pid}/fd`).length;
    return { MB: Math.round(field('VmRSS') / 1_024), descriptors, threads: field('Threads') };
  } catch {
    return null;
  }
}

function withDescendants(pids: readonly number[]): number {
  const all = allProcesses();
  const found = new Set(pids);
  for (let known = 0; known !== found.size; ) {
    known = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  return found.size;
}
