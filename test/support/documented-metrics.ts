import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

export interface DocumentedMetric {
  readonly type: string;
  readonly labels: readonly string[];
}

/** The metrics of docs/metrics.md, by name. */
export function documentedMetrics(): Map<string, DocumentedMetric> {
  const text = readFileSync(resolve(import.meta.dirname, '../../../docs/metrics.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `(holdline_\w+)` +\| (\w+) +\| ([^|]*)\|/gm)].map(
    ([, name = '', type = '', labels = '']): [string, DocumentedMetric] => [
      name,
      { type, labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label) },
    ],
  );
  return new Map([...rows, ['holdline_info', { type: 'gauge', labels: ['version', 'role'] }]]);
}
