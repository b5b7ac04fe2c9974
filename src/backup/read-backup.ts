import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { OperatorError } from '../contract/errors.js';
import { parseAs } from '../contract/json.js';
import { defaultSession, isSessionName } from '../contract/names.js';
import { accountSchema } from '../contract/status.js';
import type { MadeKey } from '../platform/store/made-keys.js';
import { isSnapshotPath } from '../supervisor/browser/login-restorer.js';
import { unpackFolder } from '../supervisor/credentials/archive.js';
import { DamagedSnapshotError } from '../supervisor/credentials/errors.js';
import { accountFile } from '../supervisor/credentials/take-snapshot.js';
import {
  allManifestSchema,
  files,
  filesOfAll,
  formatVersions,
  type Origin,
  oneManifestSchema,
  type SavedSession,
  savedSessionSchema,
} from './contents.js';
import { checkSavedSession } from './restore-session.js';
import { readJson, UnexpectedContentError } from './saved-data.js';
import { readKeys } from './saved-keys.js';
import { readSealed } from './sealed-file.js';

interface BackupFile {
  /** null: all that are in the backup, or `default` if it is of one session. */
  readonly session: string | null;
  /** A file, or {@link standardStream}. */
  readonly source: string;
  readonly passphrase: string;
}

/** A session of a backup, and the folder with its files. */
export interface UnpackedSession {
  readonly saved: SavedSession;
  readonly dir: string;
}

export interface UnpackedBackup {
  readonly origin: Origin;
  readonly sessions: readonly UnpackedSession[];
  /** null: it has none, or only one session is wanted. */
  readonly keys: readonly MadeKey[] | null;
}

/**
 * Unpacks a backup into `dir`, and reads and checks all of what is wanted. Throws an {@link OperatorError} if it cannot be used, or
 * has no such session.
 */
export async function readBackup(
  file: BackupFile,
  dir: string,
  signal: AbortSignal,
): Promise<UnpackedBackup> {
  const { session } = file;
  const version = await unpack(file, dir, signal);
  const backup = await (version === formatVersions.one ? readOne : readAll)(dir, session);
  for (const { saved, dir: folder } of backup.sessions) {
    if (saved.loginAt === null) continue;
    await readJson(join(folder, files.login, accountFile), accountSchema.nullable());
    await checkSavedSession(folder);
  }
  return backup;
}

async function readOne(dir: string, session: string | null): Promise<UnpackedBackup> {
  const saved = await readJson(join(dir, files.manifest), oneManifestSchema);
  const wanted = session ?? defaultSession;
  if (saved.session === wanted) return { origin: saved, sessions: [{ saved, dir }], keys: null };
  throw new OperatorError(
    `the backup is of the session ${saved.session}, not of ${wanted}: restore it with --session ${saved.session}`,
  );
}

async function readAll(dir: string, session: string | null): Promise<UnpackedBackup> {
  const origin = await readJson(join(dir, files.manifest), allManifestSchema);
  if (session !== null && !origin.sessions.includes(session))
    throw new OperatorError(`the backup has no session ${session}, only ${origin.sessions.join(', ')}`);
  const sessions: UnpackedSession[] = [];
  for (const name of origin.sessions) {
    if (session !== null && name !== session) continue;
    const folder = join(dir, filesOfAll.sessions, name);
    const saved = await readJson(join(folder, filesOfAll.session), savedSessionSchema);
    if (saved.session !== name) throw new UnexpectedContentError();
    sessions.push({ saved, dir: folder });
  }
  return { origin, sessions, keys: session === null ? await readKeys(dir) : null };
}

/** Returns the version of the backup. */
async function unpack(
  { source, passphrase }: BackupFile,
  dir: string,
  signal: AbortSignal,
): Promise<number | undefined> {
  try {
    await unpackFolder(readSealed(source, passphrase, signal), dir, isExpected, signal);
  } catch (error) {
    // It was decrypted, so it is complete: it is another archive than this version expects, or none.
    const code = String((error as { code?: unknown } | null)?.code);
    if (!(error instanceof DamagedSnapshotError) && !/^(Z|TAR)_/.test(code)) throw error;
    await versionOf(dir);
    throw new UnexpectedContentError();
  }
  return versionOf(dir);
}

const ofOne: readonly string[] = [files.login, files.sends, files.events, files.numbers];

function isExpected(path: string): boolean {
  const clean = path.replace(/^\.\//, '').replace(/\/$/, '');
  if (['', '.', files.manifest, filesOfAll.keys, filesOfAll.sessions].includes(clean)) return true;
  const [top = '', name = '', ...inFolder] = clean.split('/');
  if (top !== filesOfAll.sessions) return isOfSession(clean);
  if (!isSessionName(name)) return false;
  const rest = inFolder.join('/');
  return inFolder.length === 0 || rest === filesOfAll.session || isOfSession(rest);
}

function isOfSession(path: string): boolean {
  if (ofOne.includes(path)) return true;
  return path.startsWith(`${files.login}/`) && isSnapshotPath(path.slice(files.login.length + 1));
}

/** Throws an {@link OperatorError} if another version of the product made it. undefined: it does not say. */
async function versionOf(dir: string): Promise<number | undefined> {
  const text = await readFile(join(dir, files.manifest), 'utf8').catch(() => null);
  const found = parseAs(z.object({ version: z.int(), holdline: z.string() }), text);
  const known: readonly number[] = Object.values(formatVersions);
  if (found === null || known.includes(found.version)) return found?.version;
  throw new OperatorError(
    `the backup was made by Holdline ${found.holdline} in version ${found.version} of its format; this one reads the versions ${known.join(' and ')}: restore with the version that made it`,
  );
}
