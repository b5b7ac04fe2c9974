import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** Signals a whole process group; false where none of it is left. */
export function signalGroup(groupId: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-groupId, signal);
  } catch {
    return false;
  }
}

/** How long a process may take to stop after SIGSTOP: it finishes the system call that it is in. */
const stopLimitMs = 1_000;

/**
 * Runs `work` while every process of the group stands still, and lets the group go on in any case. A process that is
 * frozen can still be killed.
 */
export async function whileGroupFrozen<T>(groupId: number, work: () => Promise<T>): Promise<T> {
  const members = await membersOf(groupId);
  signalGroup(groupId, 'SIGSTOP');
  try {
    await allStopped(members);
    return await work();
  } finally {
    signalGroup(groupId, 'SIGCONT');
  }
}

/** Where there is no /proc, none: the signal alone has to do. */
async function membersOf(groupId: number): Promise<string[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map(statOf));
  return pids.filter((_, i) => stats[i]?.group === groupId);
}

async function allStopped(pids: readonly string[]): Promise<void> {
  const limit = performance.now() + stopLimitMs;
  for (;;) {
    const states = await Promise.all(pids.map(statOf));
    const running = states.filter((stat) => stat !== null && !/[TtZX]/.test(stat.state));
    if (running.length === 0) return;
    if (performance.now() > limit) throw new Error('the browser did not stand still for a copy of its login');
    await delay(1);
  }
}

/** null: it is gone. */
async function statOf(pid: string): Promise<{ state: string; group: number } | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name stands in parentheses and may hold anything.
  const [, state, group] = /\) (\S) \d+ (\d+)/.exec(text.slice(text.lastIndexOf(')'))) ?? [];
  return state === undefined ? null : { state, group: Number(group) };
}
