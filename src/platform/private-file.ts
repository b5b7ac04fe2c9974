import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';

/**
 * Replaces a file by one that only its owner can read, whole or not at all, also through a power cut. `mayReplace` is asked
 * when all but the replacement is done, which may be late; false: the file stays as it is.
 */
export async function writePrivateFile(
  file: string,
  text: string,
  mayReplace: () => Promise<boolean> = () => Promise.resolve(true),
): Promise<void> {
  const draft = `${file}.${randomUUID()}.new`;
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.datasync();
    } finally {
      await handle.close();
    }
    if (await mayReplace()) await rename(draft, file);
    else await rm(draft, { force: true });
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}
