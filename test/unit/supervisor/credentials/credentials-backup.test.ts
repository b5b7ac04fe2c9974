import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { timingSchema } from '../../../../src/contract/timing.js';
import type { Redis } from '../../../../src/platform/redis/connection.js';
import { CredentialsBackup } from '../../../../src/supervisor/credentials/credentials-backup.js';
import type { SnapshotStore } from '../../../../src/supervisor/credentials/snapshot-store.js';
import type { LoginSource } from '../../../../src/supervisor/credentials/take-snapshot.js';
import { logTo } from '../../../support/log-lines.js';

for (const refused of ['the newest snapshot', 'the status'] as const) {
  test(`the backup status is published at the start of a run, although Redis refuses ${refused} once`, async () => {
    const published: unknown[] = [];
    let refusals = 0;
    const refuseFirst = (what: string) => {
      if (what === refused && refusals++ === 0) throw new Error('READONLY');
    };
    const redis = {
      async holdline_publishBackupStatus(...words: unknown[]) {
        refuseFirst('the status');
        published.push(words.at(-1));
        return 1;
      },
    };
    const snapshots = {
      hasKey: true,
      async newest() {
        refuseFirst('the newest snapshot');
        return null;
      },
    };
    const never = new AbortController().signal;
    const backup = new CredentialsBackup({
      redis: redis as unknown as Redis,
      snapshots: snapshots as unknown as SnapshotStore,
      ...{ session: 'default', epoch: () => 1, source: () => null, lost: never },
      timing: timingSchema.parse({}),
      log: pino({ level: 'silent' }),
    });
    await backup.publishInitialStatus(never);
    assert.deepEqual(published, ['{"enabled":true,"reason":null}']);
  });
}

test('that there is no key is logged once, and only when there is a login to lose', async () => {
  const lines: Record<string, unknown>[] = [];
  const over = new AbortController();
  const backup = new CredentialsBackup({
    redis: { holdline_publishBackupStatus: async () => 1 } as unknown as Redis,
    snapshots: { hasKey: false } as unknown as SnapshotStore,
    ...{ session: 'default', epoch: () => 1, lost: over.signal },
    source: () => ({}) as unknown as LoginSource,
    timing: timingSchema.parse({}),
    log: logTo(lines),
  });
  await backup.publishInitialStatus(over.signal);
  assert.equal(lines.length, 0);
  for (let i = 0; i < 2; i++) {
    const watched = backup.start();
    await backup.backUpNow();
    await backup.stop();
    await watched;
  }
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    ['the login is not backed up: if its directory is lost, the phone must scan a new code'],
  );
  assert.match(String(lines[0]?.reason), /WHATSAPP_CREDENTIALS_KEY/);
});
