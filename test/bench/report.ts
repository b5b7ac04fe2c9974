import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { markdownTable, replaceSection } from '../support/markdown.js';

/** The measurements of one row: one entry for each round, ms. */
export interface Measured {
  readonly name: string;
  readonly detected: number[];
  readonly recovered: number[];
  /** What it is compared with, from the same rounds. */
  readonly baseline: number[];
  /** null: the row has no aim and is only shown. */
  readonly aim: Aim | null;
}

export type Aim =
  | { readonly type: 'ratio'; readonly atMost: number }
  /** `words` say how `ms` follows from a cold start. */
  | { readonly type: 'time'; readonly ms: (coldMs: number) => number; readonly words: string };

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function isReached({ aim, recovered, baseline }: Measured): boolean {
  const coldMs = median(baseline);
  switch (aim?.type) {
    case undefined:
      return true;
    case 'ratio':
      return median(recovered) / coldMs <= aim.atMost;
    case 'time':
      return median(recovered) <= aim.ms(coldMs);
    default:
      return aim satisfies never;
  }
}

/** A Markdown table. */
export function asTable(rows: readonly Measured[]): string {
  const cells = rows.map((row) => {
    const { name, detected, recovered, baseline } = row;
    const range = `${seconds(Math.min(...recovered))}-${seconds(Math.max(...recovered))}`;
    return [
      name,
      detected.length > 0 ? `${seconds(median(detected))} s` : '',
      `${seconds(median(recovered))} s (${range})`,
      (median(recovered) / median(baseline)).toFixed(2),
      aimInWords(row),
    ];
  });
  return markdownTable([['what', 'noticed', 'median (range)', 'ratio', 'aim'], ...cells]);
}

function aimInWords(row: Measured): string {
  const { aim, baseline } = row;
  if (aim === null) return '';
  const words =
    aim.type === 'ratio' ? `at most ${aim.atMost}` : `${aim.words} (${seconds(aim.ms(median(baseline)))} s)`;
  return `${words}: ${isReached(row) ? 'reached' : 'missed'}`;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(2);
}

/** The day, how it was measured, and the machine with Chromium's version. */
export function reportHeading(how: string, chromium: string): string {
  const version = execFileSync(chromium, ['--version'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const machine = `${cpus().length} cores (${cpu?.model.trim()}), ${memory} GiB`;
  const day = new Date().toISOString().slice(0, 10);
  return `${day}, ${how}; ${machine}, Node ${process.versions.node}, ${version.trim()}.`;
}

/** Replaces the text between the marks of this name in the file. */
export async function writeSection(file: URL, text: string, name = 'measured'): Promise<void> {
  const section = { name, begin: `<!-- ${name}: begin -->`, end: `<!-- ${name}: end -->` };
  await writeFile(file, replaceSection(await readFile(file, 'utf8'), section, text));
}
