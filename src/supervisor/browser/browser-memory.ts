import { listGroup, type ProcessMemory, readProcessMemory } from '../../platform/proc.js';

export interface BrowserMemory extends ProcessMemory {
  readonly processes: number;
}

/** The memory of a browser's process group; null: it has no process. */
export async function readBrowserMemory(groupId: number): Promise<BrowserMemory | null> {
  const pids = await listGroup(groupId);
  if (pids.length === 0) return null;
  const memory = await Promise.all(pids.map(readProcessMemory));
  return {
    pssBytes: memory.reduce((sum, { pssBytes }) => sum + pssBytes, 0),
    rssBytes: memory.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
    processes: pids.length,
  };
}
