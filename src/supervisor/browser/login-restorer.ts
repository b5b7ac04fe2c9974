import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldlineError, messageOf } from '../../contract/errors.js';
import { type Account, accountSchema } from '../../contract/status.js';
import { unlessAborted } from '../../platform/deadline.js';
import type { Logger } from '../../platform/logger.js';
import { DamagedSnapshotError, UnreadableBackupError } from '../credentials/errors.js';
import { loginFolders } from '../credentials/login-files.js';
import type { SnapshotStore, StoredSnapshot } from '../credentials/snapshot-store.js';
import { accountFile, storageFile } from '../credentials/take-snapshot.js';
import type { Profile } from './profile.js';

/** Restoring failed for a reason outside the snapshot (disk, Redis). A later try can succeed. */
class RestoreError extends HoldlineError {
  constructor(cause: unknown) {
    super('restore_failed', `the login could not be restored from its backup: ${messageOf(cause)}`, {
      cause,
    });
  }
}

interface RestorerOptions {
  readonly snapshots: SnapshotStore;
  readonly profile: Profile;
  readonly log: Logger;
}

/** The login in the profile on this machine. */
export interface LocalLogin {
  /** There is a login, and no sign that it does not work. */
  readonly isGood: boolean;
  /** The epoch of the newest run that used it. */
  readonly epoch: number;
}

/** Replaces a profile that is missing, unusable or older than a snapshot by that snapshot. */
export class LoginRestorer {
  readonly #options: RestorerOptions;
  /** Ids of snapshots that were restored and have not been `ready` since. Each is tried once. */
  readonly #tried = new Set<string>();

  constructor(options: RestorerOptions) {
    this.#options = options;
  }

  /** The current login works: every snapshot may be tried again. */
  forgetTried(): void {
    this.#tried.clear();
  }

  /**
   * Restores the newest good snapshot if it is better than the local login. null: nothing has changed. Throws an
   * {@link UnreadableBackupError} if no key decrypts the only login, and a {@link RestoreError} if disk or Redis failed. Both
   * change nothing.
   */
  async restore(
    local: LocalLogin,
    wipedEpoch: number,
    signal: AbortSignal,
  ): Promise<{ account: Account | null } | null> {
    const { snapshots, log } = this.#options;
    const found = await unlessAborted(snapshots.find(wipedEpoch), signal).catch((error) => {
      throw new RestoreError(error);
    });
    for (const snapshot of found) {
      if (snapshot.type === 'damaged') {
        log.error({ slot: snapshot.slot }, 'a snapshot of the login is damaged');
        continue;
      }
      const { header } = snapshot.manifest;
      if (this.#tried.has(header.id)) continue;
      if (local.isGood && header.epoch <= local.epoch) return null;
      if (snapshot.type === 'unreadable') {
        if (local.isGood) return null;
        throw new UnreadableBackupError(header.keyId, snapshots.hasKey);
      }
      const restored = await this.#tryToRestore(snapshot, wipedEpoch, signal);
      if (restored !== null) return restored;
    }
    return null;
  }

  /** null: the snapshot is damaged. */
  async #tryToRestore(
    snapshot: StoredSnapshot,
    wipedEpoch: number,
    signal: AbortSignal,
  ): Promise<{ account: Account | null } | null> {
    const { snapshots, profile, log } = this.#options;
    const { slot, manifest } = snapshot;
    const { id, epoch, takenAt } = manifest.header;
    let dir: string | null = null;
    try {
      dir = await mkdtemp(`${profile.dir}.restore-`);
      await snapshots.fetch(snapshot, dir, isSnapshotPath, signal);
      const account = accountSchema
        .nullable()
        .parse(JSON.parse(await readFile(join(dir, accountFile), 'utf8')));
      await profile.replaceBy(dir, account, wipedEpoch);
      this.#tried.add(id);
      log.warn({ slot, epoch, takenAt, bytes: manifest.bytes }, 'login restored from its backup');
      return { account };
    } catch (error) {
      if (!(error instanceof DamagedSnapshotError)) throw new RestoreError(error);
      log.error({ slot, takenAt, reason: messageOf(error) }, 'a snapshot of the login is damaged');
      return null;
    } finally {
      if (dir !== null) await rm(dir, { recursive: true, force: true, maxRetries: 5 });
    }
  }
}

/** Whether the path can be in a snapshot of a login. */
export function isSnapshotPath(path: string): boolean {
  const clean = path.replace(/^\.\//, '').replace(/\/$/, '');
  if (['', '.', 'Default', accountFile, storageFile].includes(clean)) return true;
  return loginFolders.some((folder) => clean === folder || clean.startsWith(`${folder}/`));
}
