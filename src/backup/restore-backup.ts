import { messageOf, OperatorError } from '../contract/errors.js';
import type { Fence } from '../contract/status.js';
import type { Config } from '../platform/config/config.js';
import { readFence } from '../platform/store/fence.js';
import { SnapshotStore } from '../supervisor/credentials/snapshot-store.js';
import { refuseUnlessFree, refuseWhileSupervised } from './check-target.js';
import type { Origin } from './contents.js';
import { environmentFileOf } from './environment-file.js';
import { type OpenedRedis, withRedisOfStoppedProduct } from './open-redis.js';
import { readBackup, type UnpackedSession } from './read-backup.js';
import { NoLoginNowError, type RestoredSession, restoreOne } from './restore-one.js';
import { type RestoredKeys, restoreKeys } from './saved-keys.js';
import { withWorkFolder } from './work-folder.js';

interface RestoreOptions {
  readonly config: Config;
  /** null: all that are in the backup, or `default` if it is of one session. */
  readonly session: string | null;
  /** A file, or {@link standardStream}. */
  readonly source: string;
  readonly passphrase: string;
  /** The target's own logins may be replaced. */
  readonly isReplacing: boolean;
}

export interface Restored {
  readonly origin: Origin;
  readonly sessions: readonly RestoredSession[];
  /** null: the backup has none, or only one session was restored. */
  readonly keys: RestoredKeys | null;
}

/**
 * Restores a backup into this configuration's Redis. Nothing is changed before the whole backup has been read and checked, and every
 * session of it found free. Throws an {@link OperatorError} if the backup or the target cannot be used.
 */
export function restoreBackup(options: RestoreOptions, signal: AbortSignal): Promise<Restored> {
  const { config } = options;
  return withWorkFolder(config.authDir, async (dir) => {
    const { origin, sessions, keys } = await readBackup(options, dir, signal);
    return withRedisOfStoppedProduct(config, signal, async (opened) => {
      const { redis } = opened;
      await refuseWhileSupervised(redis);
      const fences = await fencesOfFree(opened, sessions, options);
      // First, because they are only added: if that fails, no session has changed, and the restore can be repeated.
      const restoredKeys = keys && (await restoreKeys(redis, keys));
      const restored: RestoredSession[] = [];
      for (const each of sessions) {
        try {
          const fence = fences.get(each.saved.session) ?? null;
          restored.push(await restoreOne({ ...opened, config }, each, fence, signal));
        } catch (error) {
          throw sessions.length === 1 ? error : described(error, each, restored);
        }
      }
      return { origin, sessions: restored, keys: restoredKeys };
    });
  });
}

/** The settings that a backup holds, as the content of an environment file. */
export function readSettings(
  options: Omit<RestoreOptions, 'isReplacing'>,
  signal: AbortSignal,
): Promise<string> {
  return withWorkFolder(options.config.authDir, async (dir) => {
    const { origin } = await readBackup(options, dir, signal);
    return environmentFileOf(origin.settings);
  });
}

/** The fence of each session, for which the checks hold. Throws an {@link OperatorError} if one is not free. */
async function fencesOfFree(
  { redis, keys }: OpenedRedis,
  sessions: readonly UnpackedSession[],
  { config: { authDir }, isReplacing }: RestoreOptions,
): Promise<Map<string, Fence | null>> {
  const fences = new Map<string, Fence | null>();
  for (const { saved } of sessions) {
    const { session, loginAt } = saved;
    if (loginAt === null) continue;
    const snapshots = new SnapshotStore({ redis, session, keys, onBound: () => undefined });
    fences.set(session, await readFence(redis, session));
    await refuseUnlessFree({ redis, session, authDir, snapshots, isReplacing });
  }
  return fences;
}

/** Of several sessions, it says which are restored, and what became of the one that failed. */
function described(
  error: unknown,
  { saved: { session } }: UnpackedSession,
  before: readonly RestoredSession[],
): unknown {
  const names = before.map(({ saved }) => saved.session).join(', ');
  const done =
    before.length === 0
      ? 'no session is restored'
      : `only ${names} ${before.length === 1 ? 'is' : 'are'} restored`;
  const failed =
    error instanceof NoLoginNowError
      ? `${session} has no login now (${error.why})`
      : `${session} is not restored (${messageOf(error)})`;
  return new OperatorError(
    `${done}; ${failed}, and what comes after it is as it was: restore again${before.length === 0 ? '' : ' with --replace'}`,
    { cause: error },
  );
}
