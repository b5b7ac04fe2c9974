import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SnapshotManifest } from '../../contract/credentials.js';
import type { Account } from '../../contract/status.js';
import type { LoginStorage } from '../../contract/thread-messages.js';
import { unlessAborted } from '../../platform/deadline.js';
import { LoopDelay, tickMs } from '../../platform/loop-delay.js';
import { copyLogin, fingerprintOf } from './login-files.js';
import type { SnapshotStore } from './snapshot-store.js';

/** A linked profile, and the browser on it if one runs. */
export interface LoginSource {
  readonly profileDir: string;
  readonly account: Account | null;
  readonly wipedEpoch: number;
  /** The part of the login that Chromium has not written to the profile yet. */
  readonly storage: LoginStorage | null;
  /** Runs `work` while all processes of the browser are frozen. They always continue afterwards. */
  whileFrozen<T>(work: () => Promise<T>): Promise<T>;
}

export interface TakenSnapshot {
  readonly manifest: SnapshotManifest;
  /** The fingerprint of the login before the copy, so that later changes are noticed. */
  readonly fingerprint: string | null;
  /** How long the browser was frozen. */
  readonly frozenMs: number;
}

/** Files of a snapshot beside the profile's own. */
export const accountFile = 'account.json';
export const storageFile = 'storage.json';

/**
 * Copies the login of a live profile and stores the copy. The browser is frozen during the copy, for `freezeLimitMs` at most.
 * So the copy equals what a power cut would leave, from which LevelDB recovers. It often does not recover from a copy that was
 * made while the browser ran. Packing and encryption use the copy.
 */
export async function takeSnapshot(
  source: LoginSource,
  snapshots: SnapshotStore,
  epoch: number,
  freezeLimitMs: number,
  signal: AbortSignal,
): Promise<TakenSnapshot> {
  const { profileDir, account, storage, wipedEpoch } = source;
  const dir = await mkdtemp(`${profileDir}.snapshot-`);
  try {
    const fingerprint = await fingerprintOf(profileDir);
    const frozenMs = await copyFrozen(source, dir, freezeLimitMs, signal);
    await writeFile(join(dir, accountFile), JSON.stringify(account));
    if (storage !== null) await writeFile(join(dir, storageFile), JSON.stringify(storage));
    const manifest = await snapshots.store(dir, { epoch, wipedEpoch }, signal);
    return { manifest, fingerprint, frozenMs };
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Returns how long the copy took, in ms. */
async function copyFrozen(
  source: LoginSource,
  dir: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<number> {
  const late = AbortSignal.timeout(limitMs);
  const limit = AbortSignal.any([signal, late]);
  const loop = new LoopDelay();
  const ticking = setInterval(loop.tick, tickMs);
  let copying: Promise<void> | null = null;
  try {
    return await source.whileFrozen(async () => {
      const since = performance.now();
      copying = copyLogin(source.profileDir, dir, limit);
      await unlessAborted(copying, limit);
      return performance.now() - since;
    });
  } catch (error) {
    if (late.aborted) throw new Error(lateMessage(limitMs, loop.explainTimeout(limitMs)));
    throw error;
  } finally {
    clearInterval(ticking);
    // An aborted copy may still write. The caller removes the folder, so wait for it.
    await (copying as Promise<void> | null)?.catch(() => undefined);
  }
}

/** `stall`: this process did not run for a while, so the disk may not be the cause. */
function lateMessage(limitMs: number, stall: string | null): string {
  const limit = `${limitMs / 1000} s`;
  return stall === null
    ? `the disk took longer than ${limit} to copy the login`
    : `${stall} of the ${limit} in which the login is copied`;
}
