import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldlineError, messageOf } from '../contract/errors.js';
import { isUnreadable, type SessionRecord } from '../contract/session-record.js';
import type { Config } from '../platform/config/config.js';
import { isWrongType } from '../platform/data-errors.js';
import { findSessions } from '../platform/store/session-register.js';
import { SnapshotStore } from '../supervisor/credentials/snapshot-store.js';
import { files, type OneManifest, type SavedSession } from './contents.js';
import type { OpenedRedis } from './open-redis.js';
import { NoLoginError, saveLogin } from './save-login.js';
import { saveSession } from './save-session.js';

type Source = OpenedRedis & Pick<Config, 'authDir'>;

type SavedLogin = SavedSession & Pick<OneManifest, 'loginAt'>;

/** Saves a session and its login into `dir`. null: there is no such session. Throws an OperatorError without a login. */
export async function saveOne(
  source: Source,
  session: string,
  dir: string,
  signal: AbortSignal,
): Promise<SavedLogin | null> {
  const [record = null] = await findSessions(source.redis, [session]);
  return record && saveWithLogin(source, session, record, dir, signal);
}

/**
 * The same into a new folder, for a backup of all: a session that was never linked, or whose login or data cannot be read, is
 * saved with its configuration only. The result says what is missing.
 */
export async function saveWhatCanBeSaved(
  source: Source,
  session: string,
  folder: string,
  signal: AbortSignal,
): Promise<SavedSession | null> {
  const [record = null] = await findSessions(source.redis, [session]);
  if (record === null) return null;
  await mkdir(folder, { mode: 0o700 });
  try {
    const saved = await saveWithLogin(source, session, record, folder, signal);
    return isUnreadable(record) ? { ...saved, problem: recordProblem } : saved;
  } catch (error) {
    if (signal.aborted || !isOfSession(error)) throw error;
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { mode: 0o700 });
    const isComplete = error instanceof NoLoginError && !isUnreadable(record);
    const problem = error instanceof NoLoginError ? recordProblem : messageOf(error);
    const counts = { settledSends: 0, unsettledSends: 0, events: 0 };
    return { session, record, loginAt: null, problem: isComplete ? null : problem, wid: null, counts };
  }
}

const recordProblem =
  'what is configured of it cannot be read: PUT the session again, with its proxy if it has one';

async function saveWithLogin(
  { redis, keys, authDir }: Source,
  session: string,
  record: SessionRecord,
  dir: string,
  signal: AbortSignal,
): Promise<SavedLogin> {
  const snapshots = new SnapshotStore({ redis, session, keys, onBound: () => undefined });
  const loginAt = await saveLogin({ redis, session, authDir, snapshots }, join(dir, files.login), signal);
  return { session, record, loginAt, problem: null, ...(await saveSession(redis, session, dir, signal)) };
}

/** Whether the error is about the data of one session. With a full disk, or without Redis, no other session can be saved either. */
function isOfSession(error: unknown): boolean {
  if (error instanceof HoldlineError || isWrongType(error)) return true;
  const { syscall, code } = error as NodeJS.ErrnoException;
  return syscall !== undefined && /^(EACCES|EPERM|EIO|ENOENT|EISDIR|ENOTDIR)$/.test(code ?? '');
}
