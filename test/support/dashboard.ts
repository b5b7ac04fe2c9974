import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';

/**
 * The parts of Grafana's model of a dashboard that ours uses. Strict: a misspelt field, which Grafana would ignore, is an
 * error here. Not so in `options` and `custom`, which each type of panel has of its own.
 */
const source = z.strictObject({ type: z.literal('prometheus'), uid: z.string().regex(/^\$\{datasource\}$/) });
const gridPos = z.strictObject({
  h: z.int().positive(),
  w: z.int().min(1).max(24),
  x: z.int().min(0).max(23),
  y: z.int().min(0),
});
const target = z.strictObject({
  refId: z.string().regex(/^[A-Z]$/),
  datasource: source,
  editorMode: z.literal('code'),
  expr: z.string().min(1),
  legendFormat: z.string().min(1),
  instant: z.boolean(),
  range: z.boolean(),
});
const thresholds = z.strictObject({
  mode: z.literal('absolute'),
  // The first step holds for everything below the second.
  steps: z.tuple(
    [z.strictObject({ color: z.string(), value: z.null() })],
    z.strictObject({ color: z.string(), value: z.number() }),
  ),
});
const mapping = z.strictObject({
  type: z.literal('value'),
  options: z.record(
    z.string(),
    z.strictObject({ index: z.int(), text: z.string(), color: z.string().optional() }),
  ),
});
const fieldConfig = z.strictObject({
  defaults: z.strictObject({
    unit: z.enum(['none', 'short', 's', 'bytes', 'reqps', 'percentunit']),
    color: z.strictObject({ mode: z.enum(['thresholds', 'palette-classic']) }),
    thresholds,
    mappings: z.array(mapping),
    min: z.number().optional(),
    decimals: z.int().optional(),
    noValue: z.string().optional(),
    custom: z.record(z.string(), z.unknown()).optional(),
  }),
  overrides: z.array(
    z.strictObject({
      matcher: z.strictObject({ id: z.enum(['byName', 'byRegexp']), options: z.string() }),
      properties: z.array(z.strictObject({ id: z.string(), value: z.unknown() })),
    }),
  ),
});
const panel = z.strictObject({
  id: z.int().positive(),
  type: z.enum(['stat', 'timeseries', 'state-timeline']),
  title: z.string().min(1),
  description: z.string().min(1),
  datasource: source,
  gridPos,
  fieldConfig,
  options: z.record(z.string(), z.unknown()),
  targets: z.array(target).min(1),
});
const row = z.strictObject({
  id: z.int().positive(),
  type: z.literal('row'),
  title: z.string().min(1),
  collapsed: z.literal(false),
  gridPos,
  panels: z.tuple([]),
});
const variable = z.object({
  name: z.string(),
  label: z.string(),
  type: z.enum(['datasource', 'query']),
  query: z.union([
    z.literal('prometheus'),
    z.strictObject({ qryType: z.literal(1), query: z.string(), refId: z.string() }),
  ]),
  multi: z.boolean(),
  includeAll: z.boolean(),
  allValue: z.literal('.+').optional(),
});
const dashboard = z.object({
  uid: z.literal('holdline'),
  title: z.string(),
  schemaVersion: z.int().min(39),
  panels: z.array(z.discriminatedUnion('type', [panel, row])),
  templating: z.strictObject({ list: z.array(variable) }),
});

export type Dashboard = z.infer<typeof dashboard>;
export type Panel = z.infer<typeof panel>;

/** Reads deploy/grafana/holdline.json. Throws if Grafana would not take it as it is meant. */
export function readDashboard(): Dashboard {
  const file = resolve(import.meta.dirname, '../../../deploy/grafana/holdline.json');
  return dashboard.parse(JSON.parse(readFileSync(file, 'utf8')));
}

export function panelsOf({ panels }: Dashboard): Panel[] {
  return panels.filter((each) => each.type !== 'row');
}

/** The query of a panel with its variables replaced, as Grafana does when all is chosen. */
export function withVariables(expr: string, rateInterval: string): string {
  return expr.replaceAll('$__rate_interval', rateInterval).replaceAll(/\$(job|instance|session)\b/g, '.+');
}
