import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { OperatorError } from '../contract/errors.js';
import { productVersion } from '../contract/product.js';
import type { Config } from '../platform/config/config.js';
import { readMadeKeys } from '../platform/store/made-keys.js';
import { sessionNames } from '../platform/store/session-register.js';
import { packFolder } from '../supervisor/credentials/archive.js';
import {
  type AllManifest,
  files,
  filesOfAll,
  formatVersions,
  type OneManifest,
  type Origin,
  type SavedSession,
} from './contents.js';
import { type OpenedRedis, refuseIfNothingRan, withRedis } from './open-redis.js';
import { saveOne, saveWhatCanBeSaved } from './save-one.js';
import { writeJson } from './saved-data.js';
import { saveKeys } from './saved-keys.js';
import { writeSealed } from './sealed-file.js';
import { resolveTarget } from './target-file.js';
import { withWorkFolder } from './work-folder.js';

interface BackupOptions {
  readonly config: Config;
  /** null: all, and the API keys that were made while it ran. */
  readonly session: string | null;
  /** A file, or {@link standardStream}. */
  readonly target: string;
  readonly passphrase: string;
  /** The product's environment variables that are set. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface MadeBackup {
  /** In a backup of all, one that could not be saved as a whole says what is missing. */
  readonly sessions: readonly SavedSession[];
  /** Number of API keys. null: the backup is of one session. */
  readonly keys: number | null;
}

/**
 * Makes a backup of a session, or of all, running or stopped. Throws an OperatorError if that is not possible: then there is no
 * file. A backup of all does without what cannot be saved of a session.
 */
export async function makeBackup(options: BackupOptions, signal: AbortSignal): Promise<MadeBackup> {
  const { config, session, passphrase, settings } = options;
  const target = await resolveTarget(options.target);
  await refuseIfNothingRan(config);
  return withWorkFolder(config.authDir, async (dir) => {
    const origin = { holdline: productVersion, madeAt: new Date().toISOString(), host: hostname(), settings };
    const made = await withRedis(config, signal, (opened) => {
      const source = { ...opened, authDir: config.authDir };
      return session === null
        ? saveAll(source, origin, dir, signal)
        : saveOnly(source, session, origin, dir, signal);
    });
    await writeSealed(target, passphrase, (encrypt) => packFolder(dir, encrypt, signal), signal);
    return made;
  });
}

type Source = OpenedRedis & Pick<Config, 'authDir'>;

async function saveOnly(
  source: Source,
  session: string,
  origin: Origin,
  dir: string,
  signal: AbortSignal,
): Promise<MadeBackup> {
  const saved = await saveOne(source, session, dir, signal);
  if (saved === null)
    throw new OperatorError(`there is no session ${session}: GET /api/sessions lists those there are`);
  const manifest: OneManifest = { version: formatVersions.one, ...origin, ...saved };
  await writeJson(join(dir, files.manifest), manifest);
  return { sessions: [saved], keys: null };
}

/** One after the other: each takes memory and disk only for itself, and Redis serves the others meanwhile. */
async function saveAll(
  source: Source,
  origin: Origin,
  dir: string,
  signal: AbortSignal,
): Promise<MadeBackup> {
  const sessions: SavedSession[] = [];
  await mkdir(join(dir, filesOfAll.sessions), { mode: 0o700 });
  for (const session of await sessionNames(source.redis)) {
    const folder = join(dir, filesOfAll.sessions, session);
    const saved = await saveWhatCanBeSaved(source, session, folder, signal);
    // It was deleted meanwhile.
    if (saved === null) continue;
    await writeJson(join(folder, filesOfAll.session), saved);
    sessions.push(saved);
  }
  const keys = await readMadeKeys(source.redis);
  await saveKeys(keys, dir);
  const manifest: AllManifest = {
    ...{ version: formatVersions.all, ...origin },
    sessions: sessions.map(({ session }) => session),
  };
  await writeJson(join(dir, files.manifest), manifest);
  return { sessions, keys: keys.length };
}
