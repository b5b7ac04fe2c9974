import { execFileSync } from 'node:child_process';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchDir } from './leftovers.js';

/** A disk of its own, small enough to be filled. */
export interface SmallDisk {
  readonly dir: string;
  /** Not a byte is free afterwards. */
  fill(): void;
  free(): void;
  unmount(): void;
}

/** null where nothing can be mounted: it takes root, or a machine that allows it. */
export function mountSmallDisk(megabytes: number): SmallDisk | null {
  const dir = scratchDir();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', dir], { stdio: 'ignore' });
  } catch {
    return null;
  }
  const ballast = join(dir, 'ballast');
  return {
    dir,
    fill() {
      const { bavail, bsize } = statfsSync(dir);
      writeFileSync(ballast, Buffer.alloc(bavail * bsize));
    },
    free: () => rmSync(ballast, { force: true }),
    unmount: () => void execFileSync('umount', ['--lazy', dir]),
  };
}
