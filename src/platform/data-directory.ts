import { spawn } from 'node:child_process';
import { close, ftruncate, open as openFile, write } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { messageOf, OperatorError } from '../contract/errors.js';

/** Held until `release()` or until this process is gone, however it went. */
export interface DataDirectoryLock {
  release(): Promise<void>;
}

/** A product runs on this data directory already. */
export class DataDirectoryInUseError extends OperatorError {
  constructor(dataDir: string, owner: string | null) {
    super(
      `another Holdline${owner === null ? '' : ` (${owner})`} is running on ${dataDir}: ` +
        'stop it first, or give this one its own WHATSAPP_DATA_DIR',
    );
  }
}

/**
 * Makes the data directory (mode 0700) where it is missing, and the caller its only user: two embedded Redis on
 * one append-only file would destroy it.
 *
 * The lock is flock(2) on `holdline.lock`. The kernel frees it with the last descriptor of the file opened here,
 * so after a SIGKILL too, and it holds between containers that share the directory, where an abstract socket
 * would not (each network namespace has its own). Node has no flock: the program of that name takes the lock on
 * the descriptor it inherits, and what stays open here keeps it. The file's text only names the owner in the
 * message; nothing is decided by it, and the file is never removed, because removing a lock file lets two in.
 *
 * Throws {@link DataDirectoryInUseError}, or an OperatorError where the directory cannot be used.
 */
export async function lockDataDirectory(dataDir: string): Promise<DataDirectoryLock> {
  const directory = resolve(dataDir);
  const file = join(directory, 'holdline.lock');
  const descriptor = await openLockFile(directory, file);
  try {
    if (!(await takeLock(descriptor))) throw new DataDirectoryInUseError(directory, await ownerOf(file));
    await truncateDescriptor(descriptor, 0);
    await writeDescriptor(descriptor, `${process.pid} ${hostname()}\n`, 0);
  } catch (error) {
    await closeDescriptor(descriptor);
    throw error;
  }
  let released: Promise<void> | undefined;
  return {
    release() {
      released ??= truncateDescriptor(descriptor, 0).finally(() => closeDescriptor(descriptor));
      return released;
    },
  };
}

// A bare descriptor, not a FileHandle: garbage collection would close that one, and free the lock.
const openDescriptor = promisify(openFile);
const closeDescriptor = promisify(close);
const truncateDescriptor = promisify(ftruncate);
const writeDescriptor = promisify<number, string, number, unknown>(write);

async function openLockFile(directory: string, file: string): Promise<number> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    // 'a+' creates without emptying: the text belongs to the owner until the lock is ours.
    return await openDescriptor(file, 'a+', 0o600);
  } catch (cause) {
    throw new OperatorError(
      `the data directory ${directory} cannot be used (${messageOf(cause)}): ` +
        'make it writable for this user, or name another one in WHATSAPP_DATA_DIR',
      { cause },
    );
  }
}

/** False where another process holds the lock. */
function takeLock(descriptor: number): Promise<boolean> {
  return new Promise((settle, reject) => {
    const flock = spawn('flock', ['-n', '3'], { stdio: ['ignore', 'ignore', 'pipe', descriptor] });
    let complaint = '';
    flock.stderr?.on('data', (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    flock.once('error', (cause) => reject(flockFailed(messageOf(cause), cause)));
    flock.once('close', (code) => {
      if (code === 0) settle(true);
      else if (code === 1 && complaint === '') settle(false);
      else reject(flockFailed(messageOf(complaint)));
    });
  });
}

function flockFailed(reason: string, cause?: unknown): OperatorError {
  return new OperatorError(
    `the data directory cannot be locked with flock (${reason}): ` +
      'install util-linux (apt-get install util-linux, brew install flock), and keep the directory on a local disk',
    { cause },
  );
}

async function ownerOf(file: string): Promise<string | null> {
  const [, pid, host] = /^(\d+) (\S+)\n$/.exec(await readFile(file, 'utf8').catch(() => '')) ?? [];
  if (pid === undefined) return null;
  return host === hostname() ? `pid ${pid}` : `pid ${pid} on ${host}`;
}
