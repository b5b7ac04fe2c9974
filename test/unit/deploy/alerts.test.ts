import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import { documentedMetrics } from '../../support/documented-metrics.js';

const root = resolve(import.meta.dirname, '../../../..');
const file = (name: string) => readFileSync(resolve(root, name), 'utf8');
const all = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, found = '']) => found);

const rules = file('deploy/prometheus/holdline.rules.yml');
const alerts = all(rules, /^ +- alert: (\w+)$/gm);

/** What promtool cannot check. promtool runs only in the whole gate, these tests always. */
describe('the alert rules', () => {
  it('each have one paragraph in the runbook, in the same order', () => {
    const section = /^## By alert$([\s\S]*?)^## /m.exec(file('docs/runbook.md'))?.[1] ?? '';
    assert.ok(alerts.length > 10);
    assert.deepEqual(all(section, /^### (\w+)$/gm), alerts);
  });

  it('link to their paragraph', () => {
    const links = all(rules, /^ +runbook: docs\/runbook\.md#(\w+)$/gm);
    assert.deepEqual(
      links,
      alerts.map((alert) => alert.toLowerCase()),
    );
  });

  it('each have a test in which they fire and one in which they do not', () => {
    const tests = file('deploy/prometheus/holdline.rules.test.yml').split(/^ +- eval_time: /gm);
    for (const alert of alerts) {
      const of = tests.filter((text) => text.includes(`alertname: ${alert}\n`));
      assert.ok(
        of.some((text) => text.includes('exp_labels')),
        `${alert} fires in no test`,
      );
      assert.ok(
        of.some((text) => text.includes('exp_alerts: []')),
        `${alert} is quiet in no test`,
      );
    }
  });

  it('use only documented metrics and their labels', () => {
    const documented = documentedMetrics();
    const selectors = [...rules.matchAll(/\b(holdline_\w+)(?:\{([^}]*)\})?/g)];
    assert.ok(selectors.length >= alerts.length - 1);
    for (const [, name = '', matchers = ''] of selectors) {
      const labels = documented.get(name)?.labels;
      assert.ok(labels !== undefined, `${name} is documented`);
      for (const label of all(matchers, /(\w+)=~?"/g))
        assert.ok(labels.includes(label), `${name} has ${label}`);
    }
  });
});
