/** By the alphabet some of the longest would be left over at the end, with nothing beside them. */
const longestFirst = [
  ...['faults/whatsapp', 'e2e/credentials', 'faults/supervisor', 'faults/browser', 'faults/redis'],
  ...['faults/fresh-login', 'faults/shipped-timing', 'e2e/life', 'e2e/qr-page-live', 'faults/takeover'],
  ...['e2e/replicas', 'e2e/send-faults', 'e2e/access-pages', 'integration/whatsapp-web-login'],
  ...[
    'e2e/recycling',
    'faults/snapshots',
    'faults/refusals',
    'e2e/commands',
    'e2e/qr-page',
    'integration/whatsapp-web-faults',
  ],
  ...['faults/thread', 'integration/supervisor-restarts', 'integration/http-send-outage'],
  ...[
    'unit/guard',
    'integration/limits',
    'integration/http-end',
    'integration/http-events',
    'integration/embedded-redis',
  ],
].map((name) => `test/${name}.test.ts`);

/** Of names as `test/unit/bounds.test.ts`: where they stand among all, as a comparison for sorting. */
export function byLength(a: string, b: string): number {
  return place(a) - place(b);
}

function place(name: string): number {
  const found = longestFirst.indexOf(name);
  return found === -1 ? longestFirst.length : found;
}
