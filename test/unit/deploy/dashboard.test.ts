import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import { panelsOf, readDashboard } from '../../support/dashboard.js';
import { documentedMetrics } from '../../support/documented-metrics.js';

const dashboard = readDashboard();
const panels = panelsOf(dashboard);
const queries = panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })));
const documented = documentedMetrics();

/** The metrics of a query, each with the labels that it selects by. */
function selectorsOf(expr: string): { name: string; labels: string[] }[] {
  return [...expr.matchAll(/\b(holdline_\w+|up|process_\w+|nodejs_\w+)(?:\{([^}]*)\})?/g)].map(
    ([, name = '', matchers = '']) => ({
      name,
      labels: [...matchers.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(([, label = '']) => label),
    }),
  );
}

/** The labels by which a query groups. */
function groupingOf(expr: string): string[] {
  return [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(', '));
}

/** The name of a histogram without the ending of its series. */
const familyOf = (name: string) => name.replace(/_(bucket|sum|count)$/, '');

/** `job` and `instance` are added by Prometheus, `le` by histograms. */
const labelsOf = (name: string) => [
  ...(documented.get(familyOf(name))?.labels ?? []),
  ...['job', 'instance', 'le'],
];

/** What Prometheus itself says of a query, test/dashboard/main.ts checks. */
describe('the dashboard', () => {
  it('has unique ids, and panels that neither overlap nor leave the grid', () => {
    const ids = dashboard.panels.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    const cells = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels) {
      const { x, y, w, h } = gridPos;
      assert.ok(x + w <= 24, title);
      for (let row = y; row < y + h; row++) {
        for (let column = x; column < x + w; column++) {
          const cell = `${column}/${row}`;
          assert.equal(cells.get(cell), undefined, `${title} overlaps ${cells.get(cell)}`);
          cells.set(cell, title);
        }
      }
    }
  });

  it('shows nothing twice', () => {
    for (const values of [panels.map(({ title }) => title), queries.map(({ expr }) => expr)]) {
      assert.deepEqual(
        values.filter((value, i) => values.indexOf(value) !== i),
        [],
      );
    }
    for (const { title, targets } of panels) {
      const refIds = targets.map(({ refId }) => refId);
      assert.equal(new Set(refIds).size, refIds.length, title);
    }
  });

  it('queries only documented metrics and their labels', () => {
    for (const { title, expr } of queries) {
      const selectors = selectorsOf(expr);
      assert.ok(selectors.length > 0, title);
      for (const { name, labels } of selectors) {
        if (!name.startsWith('holdline_')) continue;
        const metric = documented.get(familyOf(name));
        assert.ok(metric !== undefined, `${title}: ${name} is documented`);
        assert.equal(familyOf(name) !== name, metric.type === 'histogram', `${title}: ${name}`);
        for (const label of [...labels, ...groupingOf(expr)]) {
          assert.ok(labelsOf(name).includes(label), `${title}: ${name} has ${label}`);
        }
      }
    }
  });

  it('names in a legend only labels that its query keeps', () => {
    for (const { title, targets } of panels) {
      for (const { expr, legendFormat } of targets) {
        for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
          assert.ok(groupingOf(expr).includes(label), `${title}: ${label}`);
        }
      }
    }
  });

  it('filters every query by the variables that exist', () => {
    const names = dashboard.templating.list.map(({ name }) => name);
    assert.deepEqual(names, ['datasource', 'job', 'instance', 'session']);
    for (const { title, expr } of queries) {
      for (const { name, labels } of selectorsOf(expr)) {
        assert.ok(labels.includes('job'), `${title}: ${name} of the chosen job`);
        // A process that does not answer has no other metric by which to choose it.
        if (name !== 'up') assert.ok(labels.includes('instance'), `${title}: ${name} of the chosen instance`);
        if (labelsOf(name).includes('session')) assert.ok(labels.includes('session'), `${title}: ${name}`);
      }
      for (const [, variable = ''] of expr.matchAll(/\$(\w+)/g)) {
        assert.ok([...names, '__rate_interval'].includes(variable), `${title}: $${variable}`);
      }
    }
  });

  it('computes a rate of counters and buckets only, over the interval of the panel or a fixed one', () => {
    for (const { title, expr } of queries) {
      for (const { name } of selectorsOf(expr)) {
        if (!name.startsWith('holdline_')) continue;
        const isCounted = /_total$|_bucket$/.test(name);
        const isRate = new RegExp(
          `\\b(rate|increase)\\(${name}\\{[^}]*\\}\\[(\\$__rate_interval|\\d+m)\\]`,
        ).test(expr);
        assert.equal(isRate, isCounted, `${title}: ${name}`);
      }
    }
  });

  it('shows every documented metric, so every metric of an alert too', () => {
    const shown = new Set(queries.flatMap(({ expr }) => selectorsOf(expr).map(({ name }) => familyOf(name))));
    assert.deepEqual(
      [...documented.keys()].filter((name) => !shown.has(name)),
      [],
    );
    const rules = readFileSync(
      resolve(import.meta.dirname, '../../../../deploy/prometheus/holdline.rules.yml'),
      'utf8',
    );
    for (const [, alert = ''] of JSON.stringify(panels).matchAll(/The alert (\w+) fires/g)) {
      assert.match(rules, new RegExp(`alert: ${alert}$`, 'm'));
    }
  });
});
