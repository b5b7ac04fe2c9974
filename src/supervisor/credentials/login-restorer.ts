import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldlineError, messageOf } from '../../contract/errors.js';
import { type Account, accountSchema } from '../../contract/status.js';
import { unlessAborted } from '../../platform/deadline.js';
import type { Logger } from '../../platform/logger.js';
import type { Profile } from '../browser/profile.js';
import { DamagedSnapshotError, UnreadableBackupError } from './errors.js';
import { loginFolders } from './login-files.js';
import type { SnapshotStore, StoredSnapshot } from './snapshot-store.js';
import { accountFile, storageFile } from './take-snapshot.js';

/** Restoring failed for a reason outside the snapshot (disk, Redis): it can succeed later. */
class RestoreError extends HoldlineError {
  constructor(cause: unknown) {
    super('restore_failed', `the login could not be restored from its backup: ${messageOf(cause)}`, {
      cause,
      retryable: true,
    });
  }
}

interface RestorerOptions {
  readonly vault: SnapshotStore;
  readonly profile: Profile;
  readonly log: Logger;
}

/** The login that this machine has. */
export interface LocalLogin {
  /** There is one, and nothing speaks against it. */
  readonly isGood: boolean;
  /** Of the newest run that used it. */
  readonly epoch: number;
}

/** Puts a snapshot in the place of a profile that is not there, not usable, or older than the snapshot. */
export class LoginRestorer {
  readonly #options: RestorerOptions;
  /** Snapshots that were restored and have not been `ready` since: each gets one chance. */
  readonly #tried = new Set<string>();

  constructor(options: RestorerOptions) {
    this.#options = options;
  }

  /** The login that runs now works. */
  trust(): void {
    this.#tried.clear();
  }

  /**
   * Restores the newest good snapshot where it is better than what is here; null: nothing was changed. Throws
   * {@link UnreadableBackupError} where the only login is one that no key opens, {@link RestoreError} where
   * disk or Redis refused; both leave everything as it was.
   */
  async restore(
    local: LocalLogin,
    wipedEpoch: number,
    signal: AbortSignal,
  ): Promise<{ account: Account | null } | null> {
    const { vault, log } = this.#options;
    const found = await unlessAborted(vault.find(wipedEpoch), signal).catch((error) => {
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
        throw new UnreadableBackupError(header.keyId, vault.hasKey);
      }
      const restored = await this.#tryOne(snapshot, wipedEpoch, signal);
      if (restored !== null) return restored;
    }
    return null;
  }

  /** null: it is damaged. */
  async #tryOne(
    snapshot: StoredSnapshot,
    wipedEpoch: number,
    signal: AbortSignal,
  ): Promise<{ account: Account | null } | null> {
    const { vault, profile, log } = this.#options;
    const { slot, manifest } = snapshot;
    const { id, epoch, takenAt } = manifest.header;
    let dir: string | null = null;
    try {
      dir = await mkdtemp(`${profile.dir}.restore-`);
      await vault.fetch(snapshot, dir, isExpected, signal);
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

function isExpected(path: string): boolean {
  const clean = path.replace(/^\.\//, '').replace(/\/$/, '');
  if (['', '.', 'Default', accountFile, storageFile].includes(clean)) return true;
  return loginFolders.some((folder) => clean === folder || clean.startsWith(`${folder}/`));
}
