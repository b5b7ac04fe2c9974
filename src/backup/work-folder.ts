import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

const prefix = '.backup-';

/** A process that was killed leaves its folder behind. No backup takes as long as this. */
const leftoverAgeMs = 86_400_000;

/**
 * Does `work` with a new folder in `authDir`, and removes it afterwards. The folder holds a login while it is packed or unpacked,
 * so it is where logins are kept: on the same disk, with the same protection.
 */
export async function withWorkFolder<T>(authDir: string, work: (dir: string) => Promise<T>): Promise<T> {
  await mkdir(authDir, { recursive: true, mode: 0o700 });
  await removeLeftovers(authDir);
  const dir = await mkdtemp(join(authDir, prefix));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function removeLeftovers(authDir: string): Promise<void> {
  for (const name of await readdir(authDir)) {
    if (!name.startsWith(prefix)) continue;
    const dir = join(authDir, name);
    // Another backup may just have removed it.
    const madeAt = (await stat(dir).catch(() => null))?.mtimeMs ?? Date.now();
    if (Date.now() - madeAt > leftoverAgeMs) await rm(dir, { recursive: true, force: true });
  }
}
