import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { OperatorError } from '../contract/errors.js';
import { quarantineKey, sessionKeys } from '../contract/keys.js';
import { parseHeartbeat } from '../contract/status.js';
import type { Redis } from '../platform/redis/connection.js';
import { accountWid } from '../platform/store/account-cleanup.js';
import { parseWipedEpoch } from '../platform/store/wipe-store.js';
import { isSnapshotPath } from '../supervisor/browser/login-restorer.js';
import { Profile } from '../supervisor/browser/profile.js';
import { isProfileInUse } from '../supervisor/browser/profile-lock.js';
import type { ProfileNote } from '../supervisor/browser/profile-note.js';
import { DamagedSnapshotError } from '../supervisor/credentials/errors.js';
import { copyLogin, fingerprintOf } from '../supervisor/credentials/login-files.js';
import type { FoundSnapshot, SnapshotStore } from '../supervisor/credentials/snapshot-store.js';
import { accountFile, storageFile } from '../supervisor/credentials/take-snapshot.js';
import { isRestoreToken } from './restore-lock.js';
import { writeJson } from './saved-data.js';

interface LoginPlaces {
  readonly redis: Redis;
  readonly session: string;
  readonly authDir: string;
  readonly snapshots: SnapshotStore;
}

/** Nothing is missing: nobody has linked the session, or it was logged out. */
export class NoLoginError extends OperatorError {}

/** The copy may be of two states of the login. */
class StartedMeanwhileError extends OperatorError {
  constructor(cause: unknown) {
    super('the session was started during the backup: make the backup again', { cause });
  }
}

/**
 * Copies the session's newest login into `dir`, a new directory in `authDir`: from the profile here if no run uses it, otherwise
 * from the newest good snapshot in Redis. Resolves to the time at which the login was read. Throws an {@link OperatorError} if
 * there is none that can be copied: a {@link NoLoginError} if nothing shows that there ever was one.
 */
export async function saveLogin(places: LoginPlaces, dir: string, signal: AbortSignal): Promise<string> {
  try {
    return await saveLoginOnce(places, dir, signal);
  } catch (error) {
    if (!(error instanceof StartedMeanwhileError)) throw error;
    // Most often there is a snapshot of the run that has begun, or of the one before it.
    await rm(dir, { recursive: true, force: true });
    return saveLoginOnce(places, dir, signal);
  }
}

async function saveLoginOnce(places: LoginPlaces, dir: string, signal: AbortSignal): Promise<string> {
  const { redis, session, authDir, snapshots } = places;
  const run = await readRun(redis, session);
  const found = await snapshots.find(run.wipedEpoch);
  const profile = new Profile(authDir, session);
  const note = await linkedNote(profile, run.wipedEpoch);
  const newest = found.find((snapshot) => snapshot.type !== 'damaged');
  const isProfileNewer =
    note !== null && (newest === undefined || note.epoch >= newest.manifest.header.epoch);

  await mkdir(dir, { mode: 0o700 });
  const isInUse = await isProfileInUse(profile.dir);
  if (isProfileNewer && !run.isRunning && !isInUse) {
    const failure = await copyProfile(profile, note, dir, signal).then(
      () => null,
      (error: unknown) => ({ error }),
    );
    signal.throwIfAborted();
    const now = await readRun(redis, session);
    if (now.isRunning || now.fence !== run.fence) throw new StartedMeanwhileError(failure?.error);
    if (failure !== null) throw failure.error;
    return new Date().toISOString();
  }
  const takenAt = await fetchSnapshot(snapshots, found, dir, signal);
  if (takenAt !== null) return takenAt;
  const profileDir = note === null ? null : profile.dir;
  const hasUnusable = found.length > 0 || (await hasQuarantined(redis, session));
  throw whyNoLogin(found, { ...run, profileDir, isInUse, hasKey: snapshots.hasKey, hasUnusable });
}

/** Whether a snapshot had a wrong type: whoever reads it, also this backup, moves it to quarantine. */
async function hasQuarantined(redis: Redis, session: string): Promise<boolean> {
  const { snapshot, previousSnapshot } = sessionKeys(session);
  return (await redis.exists(...[snapshot, previousSnapshot].map(quarantineKey))) > 0;
}

interface RunInRedis {
  /** A run has the session, or had it some seconds ago. */
  readonly isRunning: boolean;
  /** A restore changes the session, or was killed some seconds ago. */
  readonly isRestoring: boolean;
  /** Changes with every run. */
  readonly fence: string | null;
  readonly wipedEpoch: number;
  /** The account that is linked, as far as Redis knows. */
  readonly wid: string | null;
}

/** Whether the session runs, and the wipe that voids older logins. */
export async function readRun(redis: Redis, session: string): Promise<RunInRedis> {
  const { lock, heartbeat, fence, wiped, account } = sessionKeys(session);
  const [token, beat, fenceText, wipedText, accountText] = await redis.mget(
    ...[lock, heartbeat, fence, wiped, account],
  );
  return {
    isRestoring: isRestoreToken(token ?? null),
    isRunning: token != null || parseHeartbeat(beat ?? null) === 'live',
    fence: fenceText ?? null,
    wipedEpoch: parseWipedEpoch(wipedText) ?? 0,
    wid: accountWid(accountText),
  };
}

/** The note of a profile that has a login; null: there is no login, or a wipe has voided it. */
export async function linkedNote(profile: Profile, wipedEpoch: number): Promise<ProfileNote | null> {
  const note = await profile.readNote();
  if (note === null || !note.isLinked || note.wipedEpoch < wipedEpoch) return null;
  return (await fingerprintOf(profile.dir)) === null ? null : note;
}

async function copyProfile(
  profile: Profile,
  note: ProfileNote,
  dir: string,
  signal: AbortSignal,
): Promise<void> {
  await copyLogin(profile.dir, dir, signal);
  await writeJson(join(dir, accountFile), note.account);
  const storage = await profile.readStorage();
  if (storage !== null) await writeJson(join(dir, storageFile), storage);
}

/** Resolves to the time at which the snapshot was taken. null: no snapshot is good. */
async function fetchSnapshot(
  snapshots: SnapshotStore,
  found: readonly FoundSnapshot[],
  dir: string,
  signal: AbortSignal,
): Promise<string | null> {
  for (const snapshot of found) {
    if (snapshot.type !== 'readable') continue;
    try {
      await snapshots.fetch(snapshot, dir, isSnapshotPath, signal);
      return snapshot.manifest.header.takenAt;
    } catch (error) {
      if (!(error instanceof DamagedSnapshotError)) throw error;
      await rm(dir, { recursive: true, force: true });
      await mkdir(dir, { mode: 0o700 });
    }
  }
  return null;
}

interface Whereabouts extends Pick<RunInRedis, 'isRunning' | 'wid'> {
  /** The profile here, if it has a login. */
  readonly profileDir: string | null;
  readonly isInUse: boolean;
  readonly hasKey: boolean;
  /** Redis has snapshots, or had, but none is good. */
  readonly hasUnusable: boolean;
}

function whyNoLogin(
  found: readonly FoundSnapshot[],
  { isRunning, wid, profileDir, isInUse, hasKey, hasUnusable }: Whereabouts,
): OperatorError {
  const sealed = found.find((snapshot) => snapshot.type === 'unreadable');
  if (sealed?.type === 'unreadable') {
    return new OperatorError(
      `the login in Redis is encrypted with another key: set the WHATSAPP_CREDENTIALS_KEY of the supervisors (key id ${sealed.manifest.header.keyId})`,
    );
  }
  if (isRunning && profileDir !== null) {
    return new OperatorError(
      hasUnusable
        ? 'the session runs, and the copies of the login in Redis are damaged and cannot be read: stop it and make the backup again'
        : 'the session runs, and Redis has no copy of its login: stop it and make the backup again, or give the supervisors a WHATSAPP_CREDENTIALS_KEY',
    );
  }
  if (profileDir !== null && isInUse) {
    return new OperatorError(
      `the login in ${profileDir} cannot be read while a browser uses it, and Redis has no good copy: stop the Holdline that runs it, and make the backup again`,
    );
  }
  if (hasUnusable) {
    const others = profileDir === null ? 'there is no other here' : `the login in ${profileDir} is older`;
    return new OperatorError(
      `the copies of the login in Redis are damaged and cannot be read, and ${others}: stop the session, and make the backup on the machine that ran it last; if that is gone, link the session again`,
    );
  }
  if (wid !== null) {
    return new OperatorError(
      hasKey
        ? 'the session is linked, but Redis has no copy of its login, and there is none here: make the backup on the machine that runs the session'
        : 'the session is linked, but without WHATSAPP_CREDENTIALS_KEY its login is only on the machine that runs it: make the backup there',
    );
  }
  const elsewhere = hasKey
    ? ''
    : '; without WHATSAPP_CREDENTIALS_KEY it is only on the machine that runs the session: make the backup there';
  return new NoLoginError(
    `there is no login to back up: the session was never linked, or it was logged out${elsewhere}`,
  );
}
