import { randomUUID } from 'node:crypto';
import { accessSync, constants, statSync } from 'node:fs';
import { access, open, rename, rm } from 'node:fs/promises';

/** Whether something is at the path: a file, a directory or a link that leads somewhere. */
export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

export function isExecutableFile(path: string): boolean {
  return isFileWith(constants.X_OK, path);
}

export function isReadableFile(path: string): boolean {
  return isFileWith(constants.R_OK, path);
}

function isFileWith(permission: number, path: string): boolean {
  try {
    accessSync(path, permission);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * Replaces a file by one that only its owner can read. The replacement is atomic: after a crash or power cut the file is the
 * old one or the new one. `mayReplace` is called just before the replacement. If it resolves to false, the old file stays.
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
