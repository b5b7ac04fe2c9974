import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchDir } from './leftovers.js';

/** A separate disk, small enough to fill. */
export interface SmallDisk {
  readonly dir: string;
  /** Fills it to the last byte. */
  fill(): void;
  free(): void;
  unmount(): Promise<void>;
}

/** Unmounts when its standard input closes, because a killed test file runs no clean-up. */
const watch = 'while read -r _; do :; done; umount --lazy "$0"; rmdir "$0"';

/** null: mounting failed. It needs root, or a machine that allows it. */
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
        // Another process wrote meanwhile, so the disk is full already.
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
