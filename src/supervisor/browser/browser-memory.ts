import { listGroups, type ProcessMemory, readProcessMemory } from '../../platform/proc.js';

export interface BrowserMemory extends ProcessMemory {
  readonly processes: number;
}

/** The memory of a browser's process group; null: it has no process. */
export async function readBrowserMemory(groupId: number): Promise<BrowserMemory | null> {
  const pids = await membersOf(groupId);
  const memory = await Promise.all(pids.map(readProcessMemory));
  // Those that have ended since the listing have none.
  const living = memory.filter(({ rssBytes }) => rssBytes > 0);
  if (living.length === 0) return null;
  return {
    pssBytes: living.reduce((sum, { pssBytes }) => sum + pssBytes, 0),
    rssBytes: living.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
    processes: living.length,
  };
}

/** Each listing reads a file of every process on the machine, and each browser of a supervisor asks for one. */
const listingMaxAgeMs = 5_000;
let listing: { readonly since: number; readonly groups: ReturnType<typeof listGroups> } | null = null;

async function membersOf(groupId: number): Promise<readonly number[]> {
  const askedAt = performance.now();
  if (listing !== null && askedAt - listing.since < listingMaxAgeMs) {
    const members = (await listing.groups).get(groupId);
    if (members !== undefined) return members;
  }
  // The group may be newer than the listing. Another caller may have begun the next one.
  if (listing === null || listing.since < askedAt)
    listing = { since: performance.now(), groups: listGroups() };
  return (await listing.groups).get(groupId) ?? [];
}
