import { readlink, realpath, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { pause } from '../../platform/deadline.js';
import { readCommandLine, signalGroup, signalProcess } from '../../platform/proc.js';

/**
 * Removes Chromium's `Singleton*` files from a profile and ends a browser that still uses it. Only the owner of the session
 * may call it: then the process that made the files is dead, or must end.
 */
export async function unlockProfile(dir: string): Promise<void> {
  const holder = await readProfileLock(dir);
  if (holder === null) return;
  const { pid, isHere } = holder;
  if (isHere && (await isBrowserOn(dir, pid))) await killAndWait(dir, pid);
  for (const name of ['SingletonLock', 'SingletonCookie', 'SingletonSocket']) {
    await rm(join(dir, name), { force: true });
  }
}

/** The browser that locked a profile. It may have ended: a browser that is killed leaves its lock behind. */
interface LockHolder {
  readonly host: string;
  readonly pid: number;
  /** `host` is this one, so `pid` can be looked up. */
  readonly isHere: boolean;
}

/** `SingletonLock` is a symbolic link to `<host name>-<pid>`. null: there is none. */
export async function readProfileLock(dir: string): Promise<LockHolder | null> {
  const target = await readlink(join(dir, 'SingletonLock')).catch(() => null);
  if (target === null) return null;
  const at = target.lastIndexOf('-');
  const host = target.slice(0, at);
  return { host, pid: Number(target.slice(at + 1)), isHere: host === hostname() };
}

/** Whether a browser on this host uses the profile. */
export async function isProfileInUse(dir: string): Promise<boolean> {
  const holder = await readProfileLock(dir);
  return holder?.isHere === true && (await isBrowserOn(dir, holder.pid));
}

async function isBrowserOn(dir: string, pid: number): Promise<boolean> {
  const option = '--user-data-dir=';
  const given = (await readCommandLine(pid))?.find((argument) => argument.startsWith(option));
  if (given === undefined) return false;
  // Another program may name the same directory by a link.
  return (await realPathOf(given.slice(option.length))) === (await realPathOf(dir));
}

function realPathOf(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

/** Gives up after a second. */
async function killAndWait(dir: string, pid: number): Promise<void> {
  for (let attempt = 0; attempt < 50 && (await isBrowserOn(dir, pid)); attempt++) {
    signalGroup(pid, 'SIGKILL');
    signalProcess(pid, 'SIGKILL');
    await pause(20);
  }
}
