import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makerMark, removeLeftovers } from './leftovers.js';

const prefix = '.backup-';

/**
 * Does `work` with a new folder in `authDir`, and removes it afterwards. The folder holds a login while it is packed or unpacked,
 * so it is where logins are kept: on the same disk, with the same protection. A process that was killed leaves its folder behind:
 * the next one removes it.
 */
export async function withWorkFolder<T>(authDir: string, work: (dir: string) => Promise<T>): Promise<T> {
  await mkdir(authDir, { recursive: true, mode: 0o700 });
  await removeLeftovers(authDir, prefix);
  const dir = join(authDir, `${prefix}${makerMark()}`);
  await mkdir(dir, { mode: 0o700 });
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}
