import { randomUUID } from 'node:crypto';
import { access, cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, OperatorError } from '../contract/errors.js';
import { Profile } from '../supervisor/browser/profile.js';
import { findProfile, refuseIfInUse } from './source-profile.js';

export interface ImportOptions {
  /** A LocalAuth data path (`.wwebjs_auth`), or one profile in it. Only read. */
  readonly from: string;
  /** Which `session-<id>`; null: the only one there is. */
  readonly sessionId: string | null;
  /** The operator says that no browser of another host uses the source. */
  readonly isSaidToBeFree: boolean;
  readonly authDir: string;
  /** Ours, under which the login is known from now on. */
  readonly session: string;
}

/** What a login needs. The rest of a profile is caches and settings of another version of the browser. */
const loginFolders = [join('Default', 'IndexedDB'), join('Default', 'Local Storage')];
const whatsAppDatabase = join('Default', 'IndexedDB', 'https_web.whatsapp.com_0.indexeddb.leveldb');

/**
 * Copies the login of a whatsapp-web.js LocalAuth program into our layout; resolves to the two directories. The caller
 * sees to it that no run of this session exists. Throws an {@link OperatorError} where it cannot or must not be done,
 * and leaves nothing behind then.
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
  await refuseIfInUse(from, options.isSaidToBeFree);
  await refuseIfTaken(profile, session);

  const draft = await copyLogin(from, profile.dir);
  try {
    // A profile that never was linked: the remains of a QR that nobody scanned.
    await profile.remove();
    await rename(draft, profile.dir);
    await profile.writeNote(noteOf(session));
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
  return { from, to: profile.dir };
}

/**
 * Both epochs are times in ms. That of now makes the import newer than any logout or backup that Redis remembers, and
 * older than any to come.
 */
function noteOf(session: string) {
  const now = Date.now();
  return {
    ...{ session, epoch: now, wipedEpoch: now, profileId: randomUUID() },
    ...{ isWanted: false, isLinked: true, account: null },
  };
}

async function refuseUnlessLogin(from: string): Promise<void> {
  if (await exists(join(from, whatsAppDatabase))) return;
  throw new OperatorError(`${from} holds no login of WhatsApp Web: nothing in it was ever linked`);
}

async function refuseIfTaken(profile: Profile, session: string): Promise<void> {
  const note = await profile.readNote();
  if (note?.isLinked === true) {
    throw new OperatorError(
      `the session ${session} has a login already (${profile.dir}); it ends with POST /api/logout, then import again`,
    );
  }
  if (note === null && (await exists(profile.dir))) {
    throw new OperatorError(
      `${profile.dir} is there already, and not of Holdline's making: move it away first`,
    );
  }
}

/** Resolves to the copy, a sibling of `target`. */
async function copyLogin(from: string, target: string): Promise<string> {
  let draft: string | null = null;
  try {
    await mkdir(join(target, '..'), { recursive: true, mode: 0o700 });
    draft = await mkdtemp(`${target}.import-`);
    for (const folder of loginFolders) {
      if (await exists(join(from, folder)))
        await cp(join(from, folder), join(draft, folder), { recursive: true });
    }
    return draft;
  } catch (error) {
    if (draft !== null) await rm(draft, { recursive: true, force: true });
    throw new OperatorError(`the login could not be copied from ${from}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
