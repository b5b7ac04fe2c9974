import { randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isRunning } from '../platform/proc.js';

/** No backup or restore takes as long as this. */
const leftoverAgeMs = 86_400_000;

/** A part of a name that says which process made it, so that {@link removeLeftovers} knows when that process is dead. */
export function makerMark(): string {
  return `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
}

/**
 * Removes what killed processes left in `dir`: the files and folders named `<prefix><mark><suffix>` whose maker is dead. A
 * process of another host or container cannot be looked up: what it made is removed a day later. Never rejects because of one
 * that cannot be removed.
 */
export async function removeLeftovers(dir: string, prefix: string, suffix = ''): Promise<void> {
  for (const name of await readdir(dir)) {
    if (!name.startsWith(prefix) || !name.endsWith(suffix)) continue;
    const mark = name.slice(prefix.length, suffix === '' ? undefined : -suffix.length);
    const [, host, pid] = /^(.+)-(\d+)-[\da-f]{8}$/.exec(mark) ?? [];
    if (host === undefined) continue;
    const path = join(dir, name);
    const isDead = host === hostname() ? !(await isRunning(Number(pid))) : await isOld(path);
    if (isDead) await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Also false if it is gone: another backup may just have removed it. */
async function isOld(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => null);
  return stats !== null && Date.now() - stats.mtimeMs > leftoverAgeMs;
}
