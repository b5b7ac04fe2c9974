import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchDir } from './leftovers.js';

/** A disk of its own, small enough to be filled. */
export interface SmallDisk {
  readonly dir: string;
  /** Not a byte is free afterwards. */
  fill(): void;
  free(): void;
  unmount(): Promise<void>;
}

/** Unmounts when its standard input closes: a test file that is killed runs no clean-up. */
const watch = 'while read -r _; do :; done; umount --lazy "$0"; rmdir "$0"';

/** null where nothing can be mounted: it takes root, or a machine that allows it. */
export function mountSmallDisk(megabytes: number): SmallDisk | null {
  const dir = scratchDir();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', dir], { stdio: 'ignore' });
  } catch {
    return null;
  }
  const watcher = spawn('bash', ['-c', watch, dir], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  const ballast = join(dir, 'ballast');
  return {
    dir,
    fill() {
      const { bavail, bsize } = statfsSync(dir);
      try {
        writeFileSync(ballast, Buffer.alloc(bavail * bsize));
      } catch (error) {
        // Somebody else wrote meanwhile, and it is as full as it was to be.
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    },
    free: () => rmSync(ballast, { force: true }),
    async unmount() {
      const gone = once(watcher, 'exit');
      watcher.stdin?.end();
      await gone;
    },
  };
}
