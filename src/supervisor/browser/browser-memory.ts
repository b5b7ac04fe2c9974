import { readdir, readFile } from 'node:fs/promises';

export interface BrowserMemory {
  /** Proportional: what processes share counts once. Where the kernel does not tell, memory of its own alone. */
  readonly pssBytes: number;
  readonly rssBytes: number;
  readonly processes: number;
}

/** The memory of a browser's process group, from /proc; null where there is none to read. */
export async function readBrowserMemory(groupId: number): Promise<BrowserMemory | null> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(pids.map((pid) => memoryOfMember(pid, groupId)));
  const members = found.filter((member) => member !== null);
  if (members.length === 0) return null;
  return {
    pssBytes: members.reduce((sum, { pssBytes }) => sum + pssBytes, 0),
    rssBytes: members.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
    processes: members.length,
  };
}

async function memoryOfMember(
  pid: string,
  groupId: number,
): Promise<Omit<BrowserMemory, 'processes'> | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  // The name stands in parentheses and may hold anything.
  const [, group] = /\) \S \d+ (\d+)/.exec(stat.slice(stat.lastIndexOf(')'))) ?? [];
  if (Number(group) !== groupId) return null;
  const [rollup, status] = await Promise.all(
    // A sandboxed renderer does not let its maps be read, not even by its own user.
    ['smaps_rollup', 'status'].map((file) => readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '')),
  );
  const rssBytes = bytesOf('VmRSS', status);
  return { pssBytes: bytesOf('Pss', rollup) || bytesOf('RssAnon', status), rssBytes };
}

function bytesOf(field: string, text = ''): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1_024;
}
