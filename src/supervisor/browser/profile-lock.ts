import { readlink, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readCommandLine, signalGroup, signalProcess } from '../../platform/proc.js';

/**
 * Removes Chromium's `Singleton*` files from a profile and ends a browser that still uses it. Only the owner of the session
 * may call it: then the process that made the files is dead, or must end.
 */
export async function unlockProfile(dir: string): Promise<void> {
  const holder = await readlink(join(dir, 'SingletonLock')).catch(() => null);
  if (holder === null) return;
  // The link's target is `<host name>-<pid>`.
  const at = holder.lastIndexOf('-');
  const pid = Number(holder.slice(at + 1));
  if (holder.slice(0, at) === hostname() && (await isBrowserOn(dir, pid))) await killAndWait(dir, pid);
  for (const name of ['SingletonLock', 'SingletonCookie', 'SingletonSocket']) {
    await rm(join(dir, name), { force: true });
  }
}

async function isBrowserOn(dir: string, pid: number): Promise<boolean> {
  return (await readCommandLine(pid))?.includes(`--user-data-dir=${dir}`) ?? false;
}

/** Gives up after a second. */
async function killAndWait(dir: string, pid: number): Promise<void> {
  for (let attempt = 0; attempt < 50 && (await isBrowserOn(dir, pid)); attempt++) {
    signalGroup(pid, 'SIGKILL');
    signalProcess(pid, 'SIGKILL');
    await delay(20);
  }
}
