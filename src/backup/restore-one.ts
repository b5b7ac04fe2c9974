import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { messageOf, OperatorError } from '../contract/errors.js';
import { unconfigured } from '../contract/session-record.js';
import { accountSchema, composeStatus, type Fence, neverStarted } from '../contract/status.js';
import { type Config, statusFactsOf } from '../platform/config/config.js';
import { clearUnsentMessages } from '../platform/queues/send-cleanup.js';
import { type Redis, redisTimeMs } from '../platform/redis/connection.js';
import { findSessions, registerIfMissing } from '../platform/store/session-register.js';
import { endRun } from '../platform/store/state-store.js';
import { Profile } from '../supervisor/browser/profile.js';
import { SnapshotTooLargeError } from '../supervisor/credentials/errors.js';
import { SnapshotStore } from '../supervisor/credentials/snapshot-store.js';
import { accountFile } from '../supervisor/credentials/take-snapshot.js';
import { removeWaitingStart } from './check-target.js';
import { files, type SavedSession } from './contents.js';
import type { OpenedRedis } from './open-redis.js';
import type { UnpackedSession } from './read-backup.js';
import { withRestoreLock } from './restore-lock.js';
import { restoreSession } from './restore-session.js';
import { linkedNote, readRun } from './save-login.js';
import { readJson } from './saved-data.js';

export interface RestoredSession {
  readonly saved: SavedSession;
  readonly sends: number;
  readonly events: number;
  /** Where the login is now; null: in Redis, for every supervisor, or the backup has none. */
  readonly profileDir: string | null;
  /** It has a login now: of the backup, or the one that was here. */
  readonly hasLogin: boolean;
  /** The login of its proxy is encrypted with a key that is not here. */
  readonly lacksProxyKey: boolean;
}

/** A restore of the session failed after it had logged the session out. */
export class NoLoginNowError extends OperatorError {
  readonly why: string;

  constructor(session: string, why: string, cause: unknown) {
    super(`the session ${session} has no login now (${why}): restore again`, { cause });
    this.why = why;
  }
}

type Target = OpenedRedis & { readonly config: Config };

const onBound = () => undefined;

/**
 * Logs the session out, writes its data, and last the login. So a restore that dies in between leaves a session without a login, and
 * can be repeated. Of a session without a login only the configuration is written. `fence`: the session's, when it was found free.
 */
export async function restoreOne(
  target: Target,
  { saved, dir }: UnpackedSession,
  fence: Fence | null,
  signal: AbortSignal,
): Promise<RestoredSession> {
  const { redis, keys, config } = target;
  const { session } = saved;
  if (saved.loginAt === null) {
    const lacksProxyKey = await register(target, saved);
    const hasLogin = await hasUsableLogin(target, session);
    return { saved, sends: 0, events: 0, profileDir: null, hasLogin, lacksProxyKey };
  }
  // Before the lock: BullMQ removes no job that is locked.
  await removeWaitingStart(redis, session);
  return withRestoreLock(redis, session, signal, async (held) => {
    const epoch = await endFormerLogin(redis, session, fence, config);
    try {
      await clearUnsentMessages(redis, session);
      const lacksProxyKey = await register(target, saved);
      const restored = await restoreSession(redis, saved, dir, held);
      held.throwIfAborted();
      const snapshots = new SnapshotStore({ redis, session, keys, onBound });
      const place = { snapshots, authDir: config.authDir, session, epoch };
      const profileDir = await placeLogin(join(dir, files.login), place, held);
      return { saved, ...restored, profileDir, hasLogin: true, lacksProxyKey };
    } catch (error) {
      throw new NoLoginNowError(session, signal.aborted ? 'aborted in the middle' : messageOf(error), error);
    }
  });
}

/** Whether a supervisor of this machine finds a login: in Redis, or in the profile here. */
async function hasUsableLogin({ redis, keys, config }: Target, session: string): Promise<boolean> {
  const { wipedEpoch } = await readRun(redis, session);
  const found = await new SnapshotStore({ redis, session, keys, onBound }).find(wipedEpoch);
  if (found.some(({ type }) => type === 'readable')) return true;
  return (await linkedNote(new Profile(config.authDir, session), wipedEpoch)) !== null;
}

/** What is configured here is kept, if it is as new. Returns whether the key of its proxy's login is missing here. */
async function register({ redis, keys }: Target, { session, record }: SavedSession): Promise<boolean> {
  await registerIfMissing(redis, session, record ?? unconfigured);
  const [registered] = await findSessions(redis, [session]);
  const login = registered?.proxy?.login ?? null;
  return login !== null && !keys.some(({ id }) => id === login.key_id);
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
