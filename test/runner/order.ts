/** Files that take half a minute or more. In alphabetical order some would start last and run alone at the end. */
export const longestFirst: readonly string[] = `
  faults/neighbours faults/whatsapp e2e/send-faults faults/refusals integration/platform/malformed-keys
  integration/supervisor/refused e2e/docs-page e2e/passkey e2e/headless-shell e2e/backup e2e/linking-today
  integration/backup/backup-data integration/backup/restore integration/backup/all-sessions integration/backup/incomplete
  integration/http/commands/send-outage faults/supervisor faults/browser e2e/credentials
  faults/fresh-login e2e/page-states integration/supervisor/credentials/backup e2e/qr-page-live integration/whatsapp-web/faults
  faults/many-sessions faults/redis e2e/page-of-the-day e2e/life faults/takeover faults/shipped-timing
  integration/supervisor/commands/sends-per-chat faults/thread e2e/access-pages integration/supervisor/restarts
  integration/runner/runner integration/whatsapp-web/login integration/platform/redis/failovers
  integration/supervisor/data-loss e2e/recycling integration/whatsapp-web/sending-faults e2e/field-reports
  e2e/replicas e2e/proxy faults/snapshots integration/platform/redis/rights integration/whatsapp-web/today
  integration/supervisor/malformed-starts integration/bench/scale e2e/commands integration/platform/redis/topologies integration/whatsapp-web/pairing
  integration/http/core/body integration/supervisor/runs integration/supervisor/ends faults/http`
  .trim()
  .split(/\s+/)
  .map((name) => `test/${name}.test.ts`);

/**
 * Files that use less than a third of a processor, because they wait for locks, outages and deadlines. One of them runs
 * beside the others: it does not slow them down.
 */
export const mostlyWaiting: readonly string[] = `
  faults/refusals integration/http/commands/send-outage integration/platform/malformed-keys faults/supervisor
  e2e/qr-page-live faults/redis faults/shipped-timing integration/http/core/body integration/http/events/faults
  integration/http/outage`
  .trim()
  .split(/\s+/)
  .map((name) => `test/${name}.test.ts`);

export function mostlyWaits(name: string): boolean {
  return mostlyWaiting.includes(name);
}

/** Compares names such as `test/unit/contract/bounds.test.ts` for sorting: the longest files first. */
export function byDuration(a: string, b: string): number {
  return place(a) - place(b);
}

function place(name: string): number {
  const found = longestFirst.indexOf(name);
  return found === -1 ? longestFirst.length : found;
}
