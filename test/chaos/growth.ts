import { readdirSync, readFileSync } from 'node:fs';
import { eventually } from '../support/eventually.js';
import { withDescendants } from '../support/processes.js';
import type { ChaosCluster } from './cluster.js';
import { type KeyCount, KeyCounter, otherKeys } from './key-counter.js';

const intervalMs = 2_000;
/** Number of samples in each median: 20 s. */
const windowSize = 10;
const firstMeasureAfterMs = 300_000;
/** Only a run of at least this length is judged: a leak needs time to show. Memory shows one sooner. */
const judgedFromS = { memory: 120, rest: 600 };

/** Allowed growth. A figure of a role is that of its largest process at the time. */
const allowed = {
  'MB of a replica': 40,
  // A supervisor that owns the session has more threads, and connections to the browser.
  'MB of a supervisor': 150,
  'descriptors of a replica': 25,
  'descriptors of a supervisor': 40,
  'threads of a replica': 8,
  'threads of a supervisor': 12,
  // The number of a browser's helpers varies.
  processes: 12,
} as const;
const allowedKeys = 30;

type Figure = keyof typeof allowed;
type Sample = Record<Figure, number>;
const figures = Object.keys(allowed) as readonly Figure[];

interface Measurement {
  readonly sample: Sample;
  readonly keys: KeyCount;
}

/** Compares what the product holds at the end of a run with what it held five minutes after the start. */
export class Growth {
  readonly #cluster: ChaosCluster;
  readonly #keyCounter: KeyCounter;
  readonly #seconds: number;
  readonly #samples: Sample[] = [];
  readonly #timers: NodeJS.Timeout[];
  #first: Promise<Measurement> | null = null;

  constructor(cluster: ChaosCluster, seconds: number) {
    this.#cluster = cluster;
    this.#keyCounter = new KeyCounter(cluster.redis.url);
    this.#seconds = seconds;
    const firstMeasureMs = Math.min(firstMeasureAfterMs, seconds * 500);
    this.#timers = [
      setInterval(() => this.#samples.push(this.#sample()), intervalMs),
      setTimeout(() => this.#measureFirst(), firstMeasureMs),
    ];
  }

  /** Returns one line for each figure. Complains about each that grew too much, if the run was long enough. */
  async judge(complain: (what: string) => void): Promise<string[]> {
    for (const timer of this.#timers) clearInterval(timer);
    try {
      if (this.#first === null) return ['the run was too short to compare anything'];
      const compared = compare(await this.#first, await this.#measure());
      return compared.map(({ what, from, to, most }) => {
        const line = `${what}: ${from}, then ${to}`;
        const judgedFrom = what.startsWith('MB') ? judgedFromS.memory : judgedFromS.rest;
        if (this.#seconds >= judgedFrom && to - from > most) complain(`growth: ${line}`);
        return line;
      });
    } catch (error) {
      complain(`what the product holds could not be compared: ${String(error)}`);
      return [];
    } finally {
      this.#keyCounter.close();
    }
  }

  #measureFirst(): void {
    this.#first = this.#measure();
    // judge() reports a failure.
    this.#first.catch(() => undefined);
  }

  async #measure(): Promise<Measurement> {
    const sample = this.#recent();
    // Redis may be loading.
    const keys = await eventually(() => this.#keyCounter.count(), { timeoutMs: 30_000, intervalMs: 500 });
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
    sample.processes = withDescendants(running.map(({ product }) => product.pid)).length;
    return sample;
  }

  /** The medians of the newest samples, because a fault may distort a single one. */
  #recent(): Sample {
    const newest = this.#samples.slice(-windowSize);
    const middle = (figure: Figure) =>
      newest.map((sample) => sample[figure]).sort((a, b) => a - b)[newest.length >> 1] ?? 0;
    return Object.fromEntries(figures.map((figure) => [figure, middle(figure)])) as Sample;
  }
}

function compare(
  first: Measurement,
  last: Measurement,
): { what: string; from: number; to: number; most: number }[] {
  return [
    ...figures.map((what) => ({
      what,
      from: first.sample[what],
      to: last.sample[what],
      most: allowed[what],
    })),
    ...[...last.keys].map(([what, to]) => {
      // The number of all other keys follows from the number of commands.
      const most = what === otherKeys ? allowedKeys : Number.POSITIVE_INFINITY;
      return { what, from: first.keys.get(what) ?? 0, to, most };
    }),
  ];
}

/** null: the process has ended. */
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
