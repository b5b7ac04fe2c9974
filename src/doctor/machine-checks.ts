import { access, constants, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import type { Config } from '../platform/config/config.js';
import { exists } from '../platform/files.js';
import { type Check, failure, ok, type Verdict, warning } from './check.js';

const GiB = 1_073_741_824;

/** Checks the Node version, and the space and rights on the disks that the role uses. */
export function machineChecks(config: Config): Check[] {
  const { role, authDir, dataDir, redisUrl } = config;
  const directories = [
    ...(role === 'http' ? [] : [{ variable: 'WHATSAPP_AUTH_DIR', directory: authDir }]),
    ...(redisUrl === null ? [{ variable: 'WHATSAPP_DATA_DIR', directory: dataDir }] : []),
  ];
  return [
    { name: 'node', run: async () => nodeVerdict(process.versions.node) },
    ...directories.map(({ variable, directory }) => ({
      name: 'disk',
      run: () => diskVerdict(variable, directory),
    })),
    ...(role === 'http' ? [] : [{ name: 'shared memory', run: sharedMemoryVerdict }]),
  ];
}

export function nodeVerdict(version: string): Verdict {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major * 1_000 + minor < 20_018) return failure(`Node ${version} is too old: install 20.18 or newer`);
  return ok(`Node ${version}`);
}

async function diskVerdict(variable: string, directory: string): Promise<Verdict> {
  const existing = await nearestExisting(directory);
  const place = `${directory} (${variable})`;
  const isWritable = await access(existing, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!isWritable) {
    return failure(
      `${place} is not writable for this user: change its owner, or configure another directory`,
    );
  }
  const { bavail, bsize } = await statfs(existing);
  const free = bavail * bsize;
  const text = `${(free / GiB).toFixed(1)} GB free for ${place}`;
  if (free < 0.2 * GiB) return failure(`only ${text}: make room, or logins and messages cannot be kept`);
  if (free < GiB) return warning(`only ${text}: make room before it runs out`);
  return ok(text);
}

/** The directory itself, or its nearest ancestor that exists. */
async function nearestExisting(directory: string): Promise<string> {
  const parent = dirname(directory);
  return parent === directory || (await exists(directory)) ? directory : nearestExisting(parent);
}

/** The browser runs with --disable-dev-shm-usage, so its shared memory is in the directory for temporary files. */
async function sharedMemoryVerdict(): Promise<Verdict> {
  const { bavail, bsize } = await statfs(tmpdir());
  const free = bavail * bsize;
  const text = `${(free / GiB).toFixed(1)} GB free in ${tmpdir()}, where the browser has its shared memory (not in /dev/shm)`;
  return free < 0.5 * GiB ? warning(`only ${text}: give it 1 GB`) : ok(text);
}
