import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { OperatorError } from '../contract/errors.js';
import { parseAs } from '../contract/json.js';
import { unconfigured } from '../contract/session-record.js';
import { accountSchema, composeStatus, type Fence, neverStarted } from '../contract/status.js';
import { type Config, statusFactsOf } from '../platform/config/config.js';
import { clearUnsentMessages } from '../platform/queues/send-cleanup.js';
import { type Redis, redisTimeMs } from '../platform/redis/connection.js';
import { readFence } from '../platform/store/fence.js';
import { registerIfMissing } from '../platform/store/session-register.js';
import { endRun } from '../platform/store/state-store.js';
import { isSnapshotPath } from '../supervisor/browser/login-restorer.js';
import { Profile } from '../supervisor/browser/profile.js';
import { unpackFolder } from '../supervisor/credentials/archive.js';
import { DamagedSnapshotError, SnapshotTooLargeError } from '../supervisor/credentials/errors.js';
import { SnapshotStore } from '../supervisor/credentials/snapshot-store.js';
import { accountFile } from '../supervisor/credentials/take-snapshot.js';
import { refuseUnlessFree, removeWaitingStart } from './check-target.js';
import { files, formatVersion, type Manifest, manifestSchema } from './contents.js';
import { environmentFileOf } from './environment-file.js';
import { withRedisOfStoppedProduct } from './open-redis.js';
import { withRestoreLock } from './restore-lock.js';
import { checkSavedSession, restoreSession } from './restore-session.js';
import { readJson, UnexpectedContentError } from './saved-data.js';
import { readSealed } from './sealed-file.js';
import { withWorkFolder } from './work-folder.js';

interface RestoreOptions {
  readonly config: Config;
  readonly session: string;
  /** A file, or {@link standardStream}. */
  readonly source: string;
  readonly passphrase: string;
  /** The target's own login may be replaced. */
  readonly isReplacing: boolean;
}

export interface Restored {
  readonly manifest: Manifest;
  readonly sends: number;
  readonly events: number;
  /** Where the login is now; null: in Redis, for every supervisor. */
  readonly profileDir: string | null;
}

const onBound = () => undefined;

/**
 * Restores a backup into this configuration's Redis. Nothing is changed before the whole backup has been read and checked. The
 * target is then logged out, gets the data, and last the login. So a restore that dies in between leaves a target without a
 * login, and can be repeated. Throws an {@link OperatorError} if the backup or the target cannot be used.
 */
export function restoreBackup(options: RestoreOptions, signal: AbortSignal): Promise<Restored> {
  const { config, session, isReplacing } = options;
  const { authDir } = config;
  return withWorkFolder(authDir, async (dir) => {
    const manifest = await unpackBackup(options, dir, signal);
    await checkSavedSession(dir);
    return withRedisOfStoppedProduct(config, signal, async ({ redis, keys }) => {
      const snapshots = new SnapshotStore({ redis, session, keys, onBound });
      // Read before the checks: they hold for this fence only.
      const fence = await readFence(redis, session);
      await refuseUnlessFree({ redis, session, authDir, snapshots, isReplacing });
      // Before the lock: BullMQ removes no job that is locked.
      await removeWaitingStart(redis, session);
      return withRestoreLock(redis, session, signal, async (held) => {
        const epoch = await endFormerLogin(redis, session, fence, config);
        await registerIfMissing(redis, session, manifest.record ?? unconfigured);
        try {
          const restored = await restoreSession(redis, { session, wid: manifest.wid }, dir, held);
          held.throwIfAborted();
          const login = join(dir, files.login);
          const profileDir = await placeLogin(login, { snapshots, authDir, session, epoch }, held);
          return { manifest, ...restored, profileDir };
        } catch (error) {
          if (!signal.aborted) throw error;
          throw new OperatorError('aborted in the middle: the session has no login now; restore again', {
            cause: error,
          });
        }
      });
    });
  });
}

/** The settings that a backup holds, as the content of an environment file. */
export function readSettings(
  options: Omit<RestoreOptions, 'isReplacing'>,
  signal: AbortSignal,
): Promise<string> {
  return withWorkFolder(options.config.authDir, async (dir) => {
    const { settings } = await unpackBackup(options, dir, signal);
    return environmentFileOf(settings);
  });
}

async function unpackBackup(
  { session, source, passphrase }: Pick<RestoreOptions, 'session' | 'source' | 'passphrase'>,
  dir: string,
  signal: AbortSignal,
): Promise<Manifest> {
  try {
    await unpackFolder(readSealed(source, passphrase, signal), dir, isExpected, signal);
  } catch (error) {
    // It was decrypted, so it is complete: it is another archive than this version expects, or none.
    const code = String((error as { code?: unknown } | null)?.code);
    if (error instanceof DamagedSnapshotError || /^(Z|TAR)_/.test(code)) throw await unexpectedContent(dir);
    throw error;
  }
  await refuseOtherVersion(dir);
  const manifest = await readJson(join(dir, files.manifest), manifestSchema);
  await readJson(join(dir, files.login, accountFile), accountSchema.nullable());
  if (manifest.session === session) return manifest;
  throw new OperatorError(
    `the backup is of the session ${manifest.session}, not of ${session}: restore it with --session ${manifest.session}`,
  );
}

function isExpected(path: string): boolean {
  const clean = path.replace(/^\.\//, '').replace(/\/$/, '');
  if (['', '.', ...Object.values(files)].includes(clean)) return true;
  return clean.startsWith(`${files.login}/`) && isSnapshotPath(clean.slice(files.login.length + 1));
}

/** An entry that is not expected: the backup of a later version may have it. */
async function unexpectedContent(dir: string): Promise<OperatorError> {
  await refuseOtherVersion(dir);
  return new UnexpectedContentError();
}

async function refuseOtherVersion(dir: string): Promise<void> {
  const text = await readFile(join(dir, files.manifest), 'utf8').catch(() => null);
  const found = parseAs(z.object({ version: z.int(), holdline: z.string() }), text);
  if (found === null || found.version === formatVersion) return;
  throw new OperatorError(
    `the backup was made by Holdline ${found.holdline} in version ${found.version} of its format; this one reads version ${formatVersion}: restore with the version that made it`,
  );
}

/**
 * Ends whatever login the target had, as a logout without an owner does: it voids every older profile and snapshot, also on
 * other machines. Returns the epoch of this end. The session counts as ended, so that no supervisor starts it by itself.
 */
async function endFormerLogin(
  redis: Redis,
  session: string,
  expected: Fence | null,
  config: Config,
): Promise<number> {
  const nowMs = Math.round(await redisTimeMs(redis));
  const epoch = Math.max((expected?.epoch ?? 0) + 1, nowMs);
  const facts = neverStarted({ ...statusFactsOf(config), session });
  const hasEnded = await endRun(redis, {
    ...{ session, expected, onBound, startId: '', unlinked: false },
    status: composeStatus(
      { ...facts, epoch },
      { state: 'stopped', lastError: null, account: null },
      new Date(nowMs).toISOString(),
    ),
    intent: { id: randomUUID(), kind: 'logout' },
  });
  if (!hasEnded) throw new OperatorError('the session was changed during the restore: restore again');
  await clearUnsentMessages(redis, session);
  return epoch;
}

interface LoginTarget {
  readonly snapshots: SnapshotStore;
  readonly authDir: string;
  readonly session: string;
  readonly epoch: number;
}

/**
 * Stores the login in Redis, encrypted with the target's own key: whichever supervisor takes the session finds it there. Without a
 * key, or if it is too large for Redis, makes it the profile on this machine and returns its directory.
 */
async function placeLogin(
  login: string,
  { snapshots, authDir, session, epoch }: LoginTarget,
  signal: AbortSignal,
): Promise<string | null> {
  const profile = new Profile(authDir, session);
  await profile.remove();
  if (snapshots.hasKey) {
    try {
      await snapshots.store(login, { epoch, wipedEpoch: epoch }, signal);
      return null;
    } catch (error) {
      if (!(error instanceof SnapshotTooLargeError)) throw error;
    }
  }
  const account = await readJson(join(login, accountFile), accountSchema.nullable());
  await profile.replaceBy(login, account, epoch);
  const note = await profile.readNote();
  if (note !== null) await profile.writeNote({ ...note, epoch, isWanted: false });
  return profile.dir;
}
