import { chmod, lstat, mkdir, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf, OperatorError } from '../../contract/errors.js';
import { sha256Hex } from '../digest.js';

/** The directory and the socket of the embedded Redis. Only its owner may enter the directories. */
export interface RedisPaths {
  /** Its working directory, with the append-only file; absolute, without symbolic links. */
  readonly directory: string;
  readonly socket: string;
}

/** In the form of REDIS_URL. */
export function redisUrlOf({ socket }: RedisPaths): string {
  return `unix://${pathToFileURL(socket).pathname}`;
}

/** The shortest limit of a Unix socket's path on the supported systems (macOS 103 bytes, Linux 107). */
const socketPathMaxBytes = 103;

export async function prepareRedisPaths(dataDir: string): Promise<RedisPaths> {
  const wanted = join(resolve(dataDir), 'redis');
  try {
    await mkdir(wanted, { recursive: true, mode: 0o700 });
    await chmod(wanted, 0o700);
    const directory = await realpath(wanted);
    return { directory, socket: await socketFor(directory) };
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause;
    throw new OperatorError(
      `the embedded Redis cannot use ${wanted} (${messageOf(cause)}): ` +
        'make it writable for this user, or name another directory in WHATSAPP_DATA_DIR',
      { cause },
    );
  }
}

/** Deterministic: the next start looks there for a leftover server. */
async function socketFor(directory: string): Promise<string> {
  const beside = join(directory, 'redis.sock');
  if (fits(beside)) return beside;
  const user = process.getuid?.() ?? 0;
  const digest = sha256Hex(directory).slice(0, 16);
  const elsewhere = join(tmpdir(), `holdline-${user}-${digest}`);
  const socket = join(elsewhere, 'redis.sock');
  if (!fits(socket)) {
    throw new OperatorError(
      `neither ${directory} nor ${tmpdir()} is short enough for a Unix socket (${socketPathMaxBytes} bytes): ` +
        'name a shorter directory in WHATSAPP_DATA_DIR',
    );
  }
  await mkdir(elsewhere, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  // The temporary directory is shared: another user may have made this one.
  const found = await lstat(elsewhere);
  if (!found.isDirectory() || found.uid !== user || (found.mode & 0o077) !== 0) {
    throw new OperatorError(
      `${elsewhere} is not a directory that only this user may enter: ` +
        'remove it, or name a shorter directory in WHATSAPP_DATA_DIR',
    );
  }
  return socket;
}

function fits(socket: string): boolean {
  return Buffer.byteLength(socket) <= socketPathMaxBytes;
}
