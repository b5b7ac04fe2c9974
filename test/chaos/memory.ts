import { readFileSync } from 'node:fs';
import type { ChaosCluster } from './cluster.js';

const intervalMs = 2_000;
/** Below this a process is too young for its memory to have a trend. */
const shortestLifeMs = 120_000;
/**
 * What a process may gain between the second and the last quarter of its life. A supervisor that takes the session over
 * in between gets its threads, and its connections to the browser.
 */
const allowedGrowthMb = { http: 40, supervisor: 150 } as const;

interface Life {
  readonly name: string;
  readonly role: keyof typeof allowedGrowthMb;
  readonly mb: number[];
}

/** The memory of every process of the product over its life. */
export class Memory {
  readonly #cluster: ChaosCluster;
  readonly #samples = new Map<number, Life>();
  readonly #timer: NodeJS.Timeout;

  constructor(cluster: ChaosCluster) {
    this.#cluster = cluster;
    this.#timer = setInterval(() => this.#sample(), intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** One line for each process that lived long enough; complains of those that climb. */
  judge(complain: (what: string) => void): string[] {
    return [...this.#samples.values()]
      .filter(({ mb }) => mb.length * intervalMs >= shortestLifeMs)
      .map(({ name, role, mb }) => {
        const quarter = Math.floor(mb.length / 4);
        const [early, late] = [median(mb.slice(quarter, 2 * quarter)), median(mb.slice(-quarter))];
        const line = `${name}, ${(mb.length * intervalMs) / 1000} s: ${early} MB, then ${late} MB`;
        if (late - early > allowedGrowthMb[role]) complain(`memory climbs: ${line}`);
        return line;
      });
  }

  #sample(): void {
    for (const { name, role, product } of this.#cluster.running) {
      const mb = residentMb(product.pid);
      if (mb === null) continue;
      const known = this.#samples.get(product.pid) ?? { name, role, mb: [] };
      known.mb.push(mb);
      this.#samples.set(product.pid, known);
    }
  }
}

function residentMb(pid: number): number | null {
  try {
    const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return kb === undefined ? null : Math.round(Number(kb) / 1024);
  } catch {
    return null;
  }
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}
