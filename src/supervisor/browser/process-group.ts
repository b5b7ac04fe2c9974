import { pause } from '../../platform/deadline.js';
import { listGroup, readProcessStat, signalGroup } from '../../platform/proc.js';

/** How long a process may take to stop after SIGSTOP: it finishes its current system call. */
const stopLimitMs = 1_000;

/**
 * Runs `work` while every process of the group is stopped. Always continues the group afterwards. A stopped process can
 * still be killed. Without /proc, this sends the signal, but does not wait until it has taken effect.
 */
export async function whileGroupFrozen<T>(groupId: number, work: () => Promise<T>): Promise<T> {
  const members = await listGroup(groupId);
  signalGroup(groupId, 'SIGSTOP');
  try {
    await allStopped(members);
    return await work();
  } finally {
    signalGroup(groupId, 'SIGCONT');
  }
}

async function allStopped(pids: readonly number[]): Promise<void> {
  const limit = performance.now() + stopLimitMs;
  for (;;) {
    const stats = await Promise.all(pids.map(readProcessStat));
    const running = stats.filter((stat) => stat !== null && !/[TtZX]/.test(stat.state));
    if (running.length === 0) return;
    if (performance.now() > limit)
      throw new Error('the browser did not stop in time for a copy of its login');
    await pause(1);
  }
}
