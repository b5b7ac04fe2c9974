import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SnapshotManifest } from '../../contract/credentials.js';
import type { Account } from '../../contract/status.js';
import type { LoginStorage } from '../../contract/thread-messages.js';
import { unlessAborted } from '../../platform/deadline.js';
import { LoopDelay } from '../../platform/loop-delay.js';
import { copyLogin, fingerprintOf } from './login-files.js';
import type { SnapshotStore } from './snapshot-store.js';

/** A linked profile, and the browser on it if one lives. */
export interface LoginSource {
  readonly profileDir: string;
  readonly account: Account | null;
  readonly wipedEpoch: number;
  /** What the login needs that is not in the profile yet. */
  readonly storage: LoginStorage | null;
  /** Runs it while no process of the browser does; those go on afterwards in any case. */
  whileFrozen<T>(work: () => Promise<T>): Promise<T>;
}

export interface TakenSnapshot {
  readonly manifest: SnapshotManifest;
  /** Of the login as it was before the copy: what changes from then on is seen. */
  readonly fingerprint: string | null;
  readonly stoodStillMs: number;
}

/** What stands in a snapshot beside the profile's own files. */
export const accountFile = 'account.json';
export const storageFile = 'storage.json';

/**
 * Copies the login of a live profile and stores the copy. The browser stands still while it is copied, for
 * `freezeLimitMs` at most: the copy is what a power cut would have left, which LevelDB recovers from; copied live, it
 * often is not. All else happens on the copy.
 */
export async function takeSnapshot(
  source: LoginSource,
  vault: SnapshotStore,
  epoch: number,
  freezeLimitMs: number,
  signal: AbortSignal,
): Promise<TakenSnapshot> {
  const { profileDir, account, storage, wipedEpoch } = source;
  const dir = await mkdtemp(`${profileDir}.snapshot-`);
  try {
    const fingerprint = await fingerprintOf(profileDir);
    const stoodStillMs = await copyFrozen(source, dir, freezeLimitMs, signal);
    await writeFile(join(dir, accountFile), JSON.stringify(account));
    if (storage !== null) await writeFile(join(dir, storageFile), JSON.stringify(storage));
    const manifest = await vault.store(dir, { epoch, wipedEpoch }, signal);
    return { manifest, fingerprint, stoodStillMs };
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function copyFrozen(
  source: LoginSource,
  dir: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<number> {
  const late = AbortSignal.timeout(limitMs);
  const limit = AbortSignal.any([signal, late]);
  const loop = new LoopDelay();
  let copying: Promise<void> | null = null;
  try {
    return await source.whileFrozen(async () => {
      const since = performance.now();
      copying = copyLogin(source.profileDir, dir, limit);
      await unlessAborted(copying, limit);
      return performance.now() - since;
    });
  } catch (error) {
    if (late.aborted) throw new Error(lateSentence(limitMs, loop.blame(limitMs)));
    throw error;
  } finally {
    loop.stop();
    // A copy that was given up may still write: the folder is removed after it.
    await (copying as Promise<void> | null)?.catch(() => undefined);
  }
}

/** A timer that is late because nothing ran says nothing about the disk. */
function lateSentence(limitMs: number, stall: string | null): string {
  const limit = `${limitMs / 1000} s`;
  return stall === null
    ? `the disk took longer than ${limit} to copy the login`
    : `${stall} of the ${limit} in which the login is copied`;
}
