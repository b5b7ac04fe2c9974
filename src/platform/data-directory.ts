import { spawn } from 'node:child_process';
import { close, ftruncate, open as openFile, write } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { messageOf, OperatorError } from '../contract/errors.js';

/** Held until `release()`, or until this process ends in any way. */
export interface DataDirectoryLock {
  release(): Promise<void>;
}

/** Another process of the product uses this data directory. */
export class DataDirectoryInUseError extends OperatorError {
  constructor(dataDir: string, owner: string | null) {
    super(
      `another Holdline${owner === null ? '' : ` (${owner})`} is running on ${dataDir}: ` +
        'stop it first, or give this one its own WHATSAPP_DATA_DIR',
    );
  }
}

/**
 * Creates the data directory (mode 0700) if it is missing, and locks it: two embedded Redis servers would destroy the
 * append-only file.
 *
 * The lock is flock(2) on `holdline.lock`. The kernel releases it when the descriptor that is opened here closes, also after
 * a SIGKILL. It works between containers that share the directory; an abstract socket would not, because each network
 * namespace has its own. Node has no flock: the program `flock` locks the descriptor that it inherits, and this process
 * keeps that descriptor open. The text in the file only names the owner in error messages. The file is never removed:
 * after its removal two processes could hold the lock.
 *
 * Throws {@link DataDirectoryInUseError}, or an OperatorError if the directory cannot be used.
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

// A plain descriptor: garbage collection would close a FileHandle, and so release the lock.
const openDescriptor = promisify(openFile);
const closeDescriptor = promisify(close);
const truncateDescriptor = promisify(ftruncate);
const writeDescriptor = promisify<number, string, number, unknown>(write);

async function openLockFile(directory: string, file: string): Promise<number> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    // 'a+' creates the file without truncating it: until the lock is taken, the text names the owner.
    return await openDescriptor(file, 'a+', 0o600);
  } catch (cause) {
    throw new OperatorError(
      `the data directory ${directory} cannot be used (${messageOf(cause)}): ` +
        'make it writable for this user, or name another one in WHATSAPP_DATA_DIR',
      { cause },
    );
  }
}

/** false: another process holds the lock. */
function takeLock(descriptor: number): Promise<boolean> {
  return new Promise((settle, reject) => {
    const flock = spawn('flock', ['-n', '3'], { stdio: ['ignore', 'ignore', 'pipe', descriptor] });
    let errorText = '';
    flock.stderr?.on('data', (chunk: Buffer) => {
      errorText += chunk.toString();
    });
    flock.once('error', (cause) => reject(flockFailed(messageOf(cause), cause)));
    flock.once('close', (code) => {
      if (code === 0) settle(true);
      else if (code === 1 && errorText === '') settle(false);
      else reject(flockFailed(messageOf(errorText)));
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
