import { constants, type Dirent } from 'node:fs';
import { copyFile, link, mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { HoldlineError } from '../../contract/errors.js';
import { sha256Hex } from '../../platform/digest.js';

/**
 * The files of a profile that a login needs: IndexedDB and Local Storage, both LevelDB in Chromium 156. The other files are
 * caches and preferences, which Chromium creates again.
 */
export const loginFolders = [join('Default', 'IndexedDB'), join('Default', 'Local Storage')] as const;

/** LevelDB's logs for people, and its empty lock. */
const unneeded = new Set(['LOG', 'LOG.old', 'LOCK']);

/**
 * A digest of names, sizes, times and inodes. It changes whenever a file of the login changes. Reads no content, so the
 * browser may write at the same time. null: there are no files.
 */
export async function fingerprintOf(profileDir: string): Promise<string | null> {
  const files = await loginFilesOf(profileDir);
  if (files.length === 0) return null;
  const facts = await Promise.all(
    files.map(async (file) => {
      const stats = await stat(join(profileDir, file)).catch(() => null);
      return [file, stats?.size, stats?.mtimeMs, stats?.ino].join(':');
    }),
  );
  return sha256Hex(facts.sort().join('\n'));
}

/**
 * Copies the login to `targetDir` on the same disk. Nothing may write to the login during the copy. LevelDB's tables never
 * change once they are written, so they are hard-linked. The other files are cloned if the file system can do that. Rejects
 * when `signal` aborts, and if the login has no files: a copy without them must not take the place of a good one.
 */
export async function copyLogin(profileDir: string, targetDir: string, signal: AbortSignal): Promise<void> {
  const files = await loginFilesOf(profileDir);
  if (files.length === 0) {
    throw new HoldlineError('login_missing', `the files of the login are gone from ${profileDir}`);
  }
  for (const folder of new Set(files.map((file) => dirname(file)))) {
    await mkdir(join(targetDir, folder), { recursive: true, mode: 0o700 });
  }
  await Promise.all(
    files.map(async (file) => {
      signal.throwIfAborted();
      const [from, to] = [join(profileDir, file), join(targetDir, file)];
      if (file.endsWith('.ldb') && (await tryLink(from, to))) return;
      await copyFile(from, to, constants.COPYFILE_FICLONE);
    }),
  );
  signal.throwIfAborted();
}

async function loginFilesOf(profileDir: string): Promise<string[]> {
  const entries = await Promise.all(loginFolders.map((folder) => entriesOf(join(profileDir, folder))));
  return entries
    .flat()
    .filter((entry) => entry.isFile() && !unneeded.has(entry.name))
    .map((entry) => relative(profileDir, join(entry.parentPath, entry.name)));
}

async function entriesOf(dir: string): Promise<Dirent[]> {
  try {
    return await readdir(dir, { recursive: true, withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Creates a hard link. False: the file system cannot do that. */
async function tryLink(from: string, to: string): Promise<boolean> {
  return link(from, to).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') throw error;
      return false;
    },
  );
}
