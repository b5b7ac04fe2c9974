import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldlineError, messageOf } from '../contract/errors.js';
import { isUnreadable } from '../contract/session-record.js';
import type { Config } from '../platform/config/config.js';
import { isRedisOutage, isWrongType } from '../platform/data-errors.js';
import { findSessions } from '../platform/store/session-register.js';
import { SnapshotStore } from '../supervisor/credentials/snapshot-store.js';
import { files, type OneManifest, type SavedSession } from './contents.js';
import type { OpenedRedis } from './open-redis.js';
import { NoLoginError, saveLogin } from './save-login.js';
import { noData, type SavedData, saveNoData, saveSession } from './save-session.js';

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
  if (record === null) return null;
  const loginAt = await loginOf(source, session, dir, signal);
  return {
    session,
    record,
    loginAt,
    ...(await saveSession(source.redis, session, dir, signal)),
  };
}

/**
 * The same into a new folder, for a backup of all: a session that was never linked, or whose login cannot be read, is saved with
 * its configuration only, and one whose data cannot be read with its login. The result says what is missing.
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
  const problems = isUnreadable(record) ? [recordProblem] : [];
  const result = (loginAt: string | null, { counts, wid, problem }: SavedData) => {
    const all = [...problems, ...(problem === null ? [] : [problem])];
    return { session, record, loginAt, counts, wid, problem: all.length === 0 ? null : all.join('; ') };
  };
  const note = (error: unknown, prefix = '') => {
    if (signal.aborted || !isOfSession(error)) throw error;
    if (!(error instanceof NoLoginError)) problems.push(`${prefix}${messageOf(error)}`);
  };
  let loginAt: string;
  try {
    loginAt = await loginOf(source, session, folder, signal);
  } catch (error) {
    note(error);
    await rm(join(folder, files.login), { recursive: true, force: true });
    return result(null, noData);
  }
  try {
    return result(loginAt, await saveSession(source.redis, session, folder, signal));
  } catch (error) {
    note(error, 'its sends, events and numbers cannot be read: ');
    return result(loginAt, await saveNoData(folder));
  }
}

const recordProblem =
  'what is configured of it cannot be read: PUT the session again, with its proxy if it has one';

/** Returns when the login was read. */
function loginOf(
  { redis, keys, authDir }: Source,
  session: string,
  dir: string,
  signal: AbortSignal,
): Promise<string> {
  const snapshots = new SnapshotStore({ redis, session, keys, onBound: () => undefined });
  return saveLogin({ redis, session, authDir, snapshots }, join(dir, files.login), signal);
}

/** Whether the error is about the data of one session. With a full disk, or without Redis, no other session can be saved either. */
function isOfSession(error: unknown): boolean {
  if (error instanceof HoldlineError || isWrongType(error)) return true;
  if (error instanceof Error && error.name === 'ReplyError') return !isRedisOutage(error);
  const { syscall, code } = error as NodeJS.ErrnoException;
  return syscall !== undefined && /^(EACCES|EPERM|EIO|ENOENT|EISDIR|ENOTDIR)$/.test(code ?? '');
}
