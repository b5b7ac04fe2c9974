import { hostname } from 'node:os';
import { join } from 'node:path';
import { OperatorError } from '../contract/errors.js';
import { productVersion } from '../contract/product.js';
import type { Config } from '../platform/config/config.js';
import { findSessions } from '../platform/store/session-register.js';
import { packFolder } from '../supervisor/credentials/archive.js';
import { SnapshotStore } from '../supervisor/credentials/snapshot-store.js';
import { files, formatVersion, type Manifest } from './contents.js';
import { refuseIfNothingRan, withRedis } from './open-redis.js';
import { saveLogin } from './save-login.js';
import { saveSession } from './save-session.js';
import { writeJson } from './saved-data.js';
import { writeSealed } from './sealed-file.js';
import { resolveTarget } from './target-file.js';
import { withWorkFolder } from './work-folder.js';

interface BackupOptions {
  readonly config: Config;
  readonly session: string;
  /** A file, or {@link standardStream}. */
  readonly target: string;
  readonly passphrase: string;
  /** The product's environment variables that are set. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Makes a backup of the session, running or stopped. Throws an OperatorError if that is not possible: then there is no file. */
export async function makeBackup(options: BackupOptions, signal: AbortSignal): Promise<Manifest> {
  const { config, session, passphrase, settings } = options;
  const { authDir } = config;
  const target = await resolveTarget(options.target);
  await refuseIfNothingRan(config);
  return withWorkFolder(authDir, async (dir) => {
    const saved = await withRedis(config, signal, async ({ redis, keys }) => {
      const [record = null] = await findSessions(redis, [session]);
      if (record === null)
        throw new OperatorError(`there is no session ${session}: GET /api/sessions lists those there are`);
      const snapshots = new SnapshotStore({ redis, session, keys, onBound: () => undefined });
      const loginAt = await saveLogin({ redis, session, authDir, snapshots }, join(dir, files.login), signal);
      return { record, loginAt, ...(await saveSession(redis, session, dir, signal)) };
    });
    const manifest: Manifest = {
      version: formatVersion,
      holdline: productVersion,
      madeAt: new Date().toISOString(),
      host: hostname(),
      ...{ session, settings },
      ...saved,
    };
    await writeJson(join(dir, files.manifest), manifest);
    await writeSealed(target, passphrase, (encrypt) => packFolder(dir, encrypt, signal), signal);
    return manifest;
  });
}
