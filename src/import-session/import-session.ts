import { randomUUID } from 'node:crypto';
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, OperatorError } from '../contract/errors.js';
import { pathOfSession } from '../contract/names.js';
import { whatsAppHost } from '../contract/page.js';
import { exists } from '../platform/files.js';
import { Profile } from '../supervisor/browser/profile.js';
import type { ProfileNote } from '../supervisor/browser/profile-note.js';
import { loginFolders } from '../supervisor/credentials/login-files.js';
import { findProfile, refuseIfInUse } from './source-profile.js';

export interface ImportOptions {
  /** A LocalAuth data path (`.wwebjs_auth`), or one profile in it. It is not changed. */
  readonly from: string;
  /** Which `session-<id>` to import; null: the only one. */
  readonly sessionId: string | null;
  /** The operator says that no browser on another host uses the source. */
  readonly assumeUnused: boolean;
  readonly authDir: string;
  /** The name that the session gets in Holdline. */
  readonly session: string;
}

const whatsAppDatabase = join('Default', 'IndexedDB', `https_${whatsAppHost}_0.indexeddb.leveldb`);

/**
 * Copies the login of a program that uses whatsapp-web.js with LocalAuth into a new profile of Holdline. Resolves to both
 * directories. The caller ensures that no run of this session exists. Throws an {@link OperatorError} if the login cannot or must
 * not be imported; then it leaves nothing behind.
 */
export async function importSession(options: ImportOptions): Promise<{ from: string; to: string }> {
  const { authDir, session } = options;
  const from = await findProfile(options.from, options.sessionId);
  const profile = new Profile(authDir, session);
  if (from === profile.dir) {
    throw new OperatorError(
      `${from} is where Holdline keeps the session itself: give Holdline another directory in WHATSAPP_AUTH_DIR, then import again`,
    );
  }
  await refuseUnlessLogin(from);
  await refuseIfInUse(from, options.assumeUnused);
  await refuseIfTaken(profile, session);

  const copy = await copyToSibling(from, profile.dir);
  try {
    // A profile without a login may exist: the session showed a code that was never scanned.
    await profile.remove();
    await rename(copy, profile.dir);
    await profile.writeNote(importedNote(session));
  } catch (error) {
    await rm(copy, { recursive: true, force: true });
    throw error;
  }
  return { from, to: profile.dir };
}

/**
 * Both epochs are times in ms. With the present time, the import is newer than every logout and backup in Redis, and older than
 * the next ones.
 */
function importedNote(session: string): ProfileNote {
  const now = Date.now();
  return {
    ...{ session, epoch: now, wipedEpoch: now, profileId: randomUUID() },
    ...{ isWanted: false, isLinked: true, account: null, record: null },
  };
}

async function refuseUnlessLogin(from: string): Promise<void> {
  if (await exists(join(from, whatsAppDatabase))) return;
  throw new OperatorError(`${from} has no login of WhatsApp Web: it was never linked`);
}

async function refuseIfTaken(profile: Profile, session: string): Promise<void> {
  const note = await profile.readNote();
  if (note?.isLinked === true) {
    throw new OperatorError(
      `the session ${session} has a login already (${profile.dir}): end it with POST ${pathOfSession(session, '/api/logout')}, then import again`,
    );
  }
  if (note === null && (await exists(profile.dir))) {
    throw new OperatorError(
      `${profile.dir} exists already, and was not made by Holdline: move it away first`,
    );
  }
}

/** Copies what a login needs; resolves to the copy, a new directory beside `target`. */
async function copyToSibling(from: string, target: string): Promise<string> {
  let copy: string | null = null;
  try {
    await mkdir(join(target, '..'), { recursive: true, mode: 0o700 });
    copy = await mkdtemp(`${target}.import-`);
    for (const folder of loginFolders) {
      if (await exists(join(from, folder)))
        await cp(join(from, folder), join(copy, folder), { recursive: true });
    }
    return copy;
  } catch (error) {
    if (copy !== null) await rm(copy, { recursive: true, force: true });
    throw new OperatorError(`the login could not be copied from ${from}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
