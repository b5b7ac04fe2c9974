/**
 * `npm run test:quick` runs every file of these directories that is not left out below. A new file is included. The output
 * shows how long it takes: leave it out if it opens a browser or takes more than some seconds. Files that only need data
 * share one Redis (test/support/shared-redis.ts). A file that ends, freezes, configures or measures its Redis starts its own.
 */
const directories = ['test/unit/', 'test/integration/'];

const leftOut = {
  'opens a browser': `
    unit/supervisor/browser/browser integration/supervisor/browser/browser-identity integration/supervisor/browser/local-network integration/supervisor/browser/proxy integration/page-contract/page-contract
    integration/session-worker/whatsapp/pinned-page integration/whatsapp-web/faults
    integration/whatsapp-web/library-today integration/whatsapp-web/login integration/whatsapp-web/messages
    integration/whatsapp-web/field-reports integration/whatsapp-web/pairing integration/whatsapp-web/passkey integration/whatsapp-web/passkey-ceremony integration/support/owner-browser integration/passkey/link
    integration/whatsapp-web/phone integration/whatsapp-web/sending-faults integration/whatsapp-web/today`,
  'waits for locks, outages or deadlines': `
    integration/http/auth/attacks integration/http/auth/logins-that-end integration/http/auth/made-keys integration/http/core/body integration/http/connections/connections
    integration/http/events/faults integration/platform/store/event-writer integration/session-worker/event-relay integration/http/outage
    integration/http/commands/accept-send integration/http/commands/pairing-code integration/http/commands/reads
    integration/http/commands/send integration/http/commands/send-outage
    integration/http/core/validation-generated integration/platform/malformed-keys integration/supervisor/malformed-starts integration/platform/redis/access
    integration/platform/redis/failovers integration/platform/redis/preflight integration/platform/redis/rights integration/platform/redis/topologies
    integration/supervisor/credentials/backup integration/supervisor/data-loss
    integration/supervisor/ends integration/supervisor/paces integration/supervisor/refused
    integration/supervisor/restarts integration/supervisor/runs integration/supervisor/sharing integration/supervisor/spread integration/supervisor/commands/sends
    integration/supervisor/commands/sends-per-chat integration/supervisor/commands/send-records integration/runner/runner integration/bench/scale`,
  'takes much of a processor': `
    integration/http/events/many-listeners integration/http/events/many-sessions integration/http/auth/bound-keys integration/http/commands/jobs integration/platform/store/read-answers integration/platform/redis/needs
    integration/supervisor/credentials/snapshot-store integration/backup/all-sessions integration/backup/backup-data integration/backup/backup-login integration/backup/incomplete integration/backup/restore unit/backup/sealed-file`,
};

export const namesLeftOut: readonly string[] = Object.values(leftOut)
  .flatMap((names) => names.trim().split(/\s+/))
  .map((name) => `test/${name}.test.ts`);

/** Takes a name such as `test/unit/contract/bounds.test.ts`. */
export function isQuick(name: string): boolean {
  return directories.some((directory) => name.startsWith(directory)) && !namesLeftOut.includes(name);
}
