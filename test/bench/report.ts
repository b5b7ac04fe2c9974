import { readFile, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';

/** What was measured of one row, one entry for each round, in ms. */
export interface Measured {
  readonly name: string;
  readonly detected: number[];
  readonly recovered: number[];
  /** Of the same rounds: what it is compared with. */
  readonly baseline: number[];
  /** What is aimed at; null: the row is there to be known. */
  readonly aim: Aim | null;
}

export type Aim =
  | { readonly type: 'ratio'; readonly atMost: number }
  /** `words` say how `ms` comes about from a cold start. */
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

/** Rows of cells, the header first. */
export function markdownTable([header = [], ...cells]: readonly string[][]): string {
  const widths = header.map((title, i) =>
    Math.max(title.length, ...cells.map((cell) => (cell[i] ?? '').length)),
  );
  const line = (cell: string[]) => `| ${cell.map((text, i) => text.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...cells.map(line)].join('\n');
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

export function machine(chromium: string): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} cores (${cpu?.model.trim()}), ${memory} GiB, Node ${process.versions.node}, ${chromium}`;
}

const begin = '<!-- measured: begin -->';
const end = '<!-- measured: end -->';

/** Replaces what stands between the marks in the file. */
export async function writeSection(file: URL, text: string): Promise<void> {
  const before = await readFile(file, 'utf8');
  const from = before.indexOf(begin);
  const to = before.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${file.pathname} has no ${begin} … ${end}`);
  await writeFile(file, `${before.slice(0, from + begin.length)}\n\n${text}\n\n${before.slice(to)}`);
}
