/**
 * `npm run test:quick`: every file of these directories that is not left out below. A new one is in; what it takes stands in
 * the output, and one that opens a browser, or takes more than some seconds, belongs below. Those that only need data have one
 * Redis for all (test/support/shared-redis.ts); one that ends, freezes, configures or measures its Redis starts its own.
 */
const directories = ['test/unit/', 'test/integration/'];

const leftOut = {
  'opens a browser': `
    unit/browser integration/browser-identity integration/local-network integration/page-contract
    integration/pinned-page integration/whatsapp-web-faults
    integration/whatsapp-web-library-today integration/whatsapp-web-login integration/whatsapp-web-messages
    integration/whatsapp-web-oddities integration/whatsapp-web-pairing integration/whatsapp-web-passkey
    integration/whatsapp-web-phone integration/whatsapp-web-sending-faults integration/whatsapp-web-today`,
  'waits for locks, outages or deadlines': `
    integration/access-attacks integration/access-ends integration/http-bodies integration/http-connections
    integration/http-events-faults integration/http-events-writing integration/http-outage
    integration/http-reads-commands integration/http-send integration/http-send-outage
    integration/http-validation-generated integration/odd-keys integration/odd-starts integration/redis-access
    integration/redis-failovers integration/redis-fitness integration/redis-rights integration/redis-topologies
    integration/supervisor-backup integration/supervisor-data-loss
    integration/supervisor-ends integration/supervisor-paces integration/supervisor-refused
    integration/supervisor-restarts integration/supervisor-runs integration/supervisor-sends
    integration/supervisor-sends-per-chat integration/supervisor-sends-records integration/test-runner`,
  'takes much of a processor': `
    integration/http-events-many integration/http-jobs integration/read-answers integration/redis-needs
    integration/snapshot-vault`,
};

export const namesLeftOut: readonly string[] = Object.values(leftOut)
  .flatMap((names) => names.trim().split(/\s+/))
  .map((name) => `test/${name}.test.ts`);

/** Of a name as `test/unit/bounds.test.ts`. */
export function isQuick(name: string): boolean {
  return directories.some((directory) => name.startsWith(directory)) && !namesLeftOut.includes(name);
}
