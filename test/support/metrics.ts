import assert from 'node:assert/strict';
import { eventually } from './eventually.js';

/** Parsed metrics in Prometheus' text format. */
export interface MetricsText {
  /** The type of each family, by name. */
  readonly types: ReadonlyMap<string, string>;
  readonly series: readonly Series[];
  /** The value of the first series with these labels; undefined: there is none. */
  value(name: string, labels?: Record<string, string>): number | undefined;
}

interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Scrapes until Redis answered in time. A scrape waits one second for it. */
export function scrape(render: () => Promise<string>): Promise<MetricsText> {
  return eventually(async () => {
    const page = parseMetrics(await render());
    assert.equal(page.value('holdline_redis_up'), 1);
    return page;
  });
}

export function parseMetrics(text: string): MetricsText {
  const types = new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]),
  );
  const series = [...text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)].map(
    ([, name = '', labels = '', value]) => ({
      name,
      labels: Object.fromEntries(
        [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', text = '']) => [label, text]),
      ),
      value: Number(value),
    }),
  );
  return {
    types,
    series,
    value: (name, labels = {}) =>
      series.find(
        (each) =>
          each.name === name && Object.entries(labels).every(([label, text]) => each.labels[label] === text),
      )?.value,
  };
}
