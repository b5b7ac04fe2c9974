import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { timingSchema } from '../../../../src/contract/timing.js';
import type { Redis } from '../../../../src/platform/redis/connection.js';
import { CredentialsBackup } from '../../../../src/supervisor/credentials/credentials-backup.js';
import type { SnapshotStore } from '../../../../src/supervisor/credentials/snapshot-store.js';

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
