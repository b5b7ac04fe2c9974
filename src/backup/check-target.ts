import { OperatorError } from '../contract/errors.js';
import { queueKeys } from '../contract/key-types.js';
import { sessionKeys } from '../contract/keys.js';
import { defaultSession, runJobId, sessionsQueue } from '../contract/names.js';
import { openQueue } from '../platform/queues/job-queue.js';
import type { Redis } from '../platform/redis/connection.js';
import { withQuarantine } from '../platform/redis/quarantine.js';
import { readSupervisors } from '../platform/store/supervisor-registry.js';
import { Profile } from '../supervisor/browser/profile.js';
import { isProfileInUse } from '../supervisor/browser/profile-lock.js';
import type { SnapshotStore } from '../supervisor/credentials/snapshot-store.js';
import { AnotherRestoreError } from './restore-lock.js';
import { linkedNote, readRun } from './save-login.js';

interface Target {
  readonly redis: Redis;
  readonly session: string;
  readonly authDir: string;
  readonly snapshots: SnapshotStore;
  readonly isReplacing: boolean;
}

/** Throws an {@link OperatorError} while a supervisor is registered. */
export async function refuseWhileSupervised(redis: Redis): Promise<void> {
  const [alive] = await readSupervisors(redis);
  if (alive !== undefined) {
    throw new OperatorError(
      `the supervisor ${alive.supervisor} is running: stop every supervisor, then restore again (one that was killed counts for 6 s more)`,
    );
  }
}

/** Throws an {@link OperatorError} while the session runs on the target, or if it has a login that must not be replaced. */
export async function refuseUnlessFree(target: Target): Promise<void> {
  const { redis, session, authDir, snapshots, isReplacing } = target;
  const run = await readRun(redis, session);
  if (run.isRestoring) throw new AnotherRestoreError();
  if (run.isRunning) {
    throw new OperatorError(
      `${nameOf(session)} runs, or its supervisor was killed some seconds ago: stop every supervisor, wait 15 s, then restore again`,
    );
  }
  const profile = new Profile(authDir, session);
  // The browser may belong to a product that uses another Redis: this one knows nothing of it.
  if (await isProfileInUse(profile.dir)) {
    throw new OperatorError(
      `a browser uses the profile ${profile.dir}: stop the Holdline that runs it, or name another directory in WHATSAPP_AUTH_DIR`,
    );
  }
  if (isReplacing) return;
  const hasSnapshot = (await snapshots.find(run.wipedEpoch)).length > 0;
  if (!hasSnapshot && (await linkedNote(profile, run.wipedEpoch)) === null) return;
  throw new OperatorError(
    `there is a login already (in ${hasSnapshot ? 'Redis' : profile.dir}) of ${nameOf(session)}: add --replace to replace it`,
  );
}

function nameOf(session: string): string {
  return session === defaultSession ? 'the session' : `the session ${session}`;
}

/** Removes a start that waits for a supervisor: nobody wants the session to start by itself after a restore. */
export async function removeWaitingStart(redis: Redis, session: string): Promise<void> {
  const queue = openQueue(sessionsQueue, redis);
  try {
    const { job, lock } = sessionKeys(session);
    const keys = [...queueKeys(sessionsQueue), job, lock];
    await withQuarantine(redis, keys, () => queue.remove(runJobId(session)));
  } finally {
    await queue.close();
  }
}
