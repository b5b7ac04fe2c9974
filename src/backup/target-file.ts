import { access, constants, lstat, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { OperatorError } from '../contract/errors.js';
import { standardStream } from './sealed-file.js';

/**
 * The file that a backup to `target` creates or replaces; a link stands for the file to which it leads. Throws an
 * {@link OperatorError} if something else than a file is there, or if no file can be created there.
 */
export async function resolveTarget(target: string): Promise<string> {
  if (target === standardStream) return target;
  const found = await stat(target).catch(() => null);
  if (found === null) {
    const isLink = (await lstat(target).catch(() => null)) !== null;
    if (isLink) throw new OperatorError(`${target} is a link that leads to no file: name a file`);
    return inWritableFolder(target);
  }
  if (found.isDirectory()) throw new OperatorError(`${target} is a directory: name a file in it`);
  if (found.isFile()) return inWritableFolder(await realpath(target));
  throw new OperatorError(`${target} is not a file: name a file, or - for stdout`);
}

async function inWritableFolder(file: string): Promise<string> {
  const folder = dirname(file);
  await access(folder, constants.W_OK).catch((error: NodeJS.ErrnoException) => {
    throw new OperatorError(
      error.code === 'ENOENT'
        ? `there is no directory ${folder}: create it, or name a file elsewhere`
        : `no file can be written in ${folder} (${error.code}): name a file elsewhere`,
    );
  });
  return file;
}
