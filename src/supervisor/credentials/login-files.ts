import { constants, type Dirent } from 'node:fs';
import { copyFile, link, mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { sha256Hex } from '../../platform/digest.js';

/**
 * The files of a profile that a login needs: IndexedDB and Local Storage, both LevelDB in Chromium 156. The rest of a
 * profile is caches and preferences, which Chromium makes anew.
 */
export const loginFolders = [join('Default', 'IndexedDB'), join('Default', 'Local Storage')] as const;

/** What LevelDB writes for people, and an empty lock. */
const unneeded = new Set(['LOG', 'LOG.old', 'LOCK']);

/** Changes whenever a file of the login does; reads no content and needs no standstill. null: there are no files. */
export async function fingerprintOf(profileDir: string): Promise<string | null> {
  const files = await loginFilesOf(profileDir);
  if (files.length === 0) return null;
  const facts = await Promise.all(
    files.map(async (file) => {
      const found = await stat(join(profileDir, file)).catch(() => null);
      return [file, found?.size, found?.mtimeMs, found?.ino].join(':');
    }),
  );
  return sha256Hex(facts.sort().join('\n'));
}

/**
 * Copies the login to `targetDir` on the same disk, while nobody writes to it. LevelDB's tables never change once they
 * are written, so those are linked; of the others the file system copies only what it must. Rejects when `signal`
 * aborts.
 */
export async function copyLogin(profileDir: string, targetDir: string, signal: AbortSignal): Promise<void> {
  const files = await loginFilesOf(profileDir);
  for (const folder of new Set(files.map((file) => dirname(file)))) {
    await mkdir(join(targetDir, folder), { recursive: true, mode: 0o700 });
  }
  await Promise.all(
    files.map(async (file) => {
      signal.throwIfAborted();
      const [from, to] = [join(profileDir, file), join(targetDir, file)];
      if (file.endsWith('.ldb') && (await isLinked(from, to))) return;
      await copyFile(from, to, constants.COPYFILE_FICLONE);
    }),
  );
  signal.throwIfAborted();
}

async function loginFilesOf(profileDir: string): Promise<string[]> {
  const found = await Promise.all(loginFolders.map((folder) => entriesOf(join(profileDir, folder))));
  return found
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

/** False where the file system knows no hard links. */
async function isLinked(from: string, to: string): Promise<boolean> {
  return link(from, to).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') throw error;
      return false;
    },
  );
}
