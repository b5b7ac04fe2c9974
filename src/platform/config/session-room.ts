import { availableParallelism, totalmem } from 'node:os';
import { MiB } from '../../contract/bounds.js';
import type { BrowserKind } from './browser-executable.js';

/** How many sessions a supervisor can run, as far as this machine tells. */

const GiB = 1_024 * MiB;

/** What a session takes: browser, thread and its share of the supervisor. docs/memory.md says the same, and how it was measured. */
const sessionSizes: Readonly<Record<BrowserKind, { readonly bytes: number; readonly inWords: string }>> = {
  chromium: { bytes: GiB, inWords: '1 GiB' },
  shell: { bytes: 960 * MiB, inWords: '960 MiB' },
};

/** For the system, the supervisor, HTTP and Redis. */
const reserveBytes = GiB;

export const sessionsMax = 100;

export interface SessionRoom {
  readonly sessions: number;
  /** How the number was found, for the log. */
  readonly by: string;
}

/** `limitBytes`: the limit of the control group (a container, a service); 0, or more than the machine has: there is none. */
export function roomByMemory(totalBytes: number, limitBytes: number, browser: BrowserKind): SessionRoom {
  const isLimited = limitBytes > 0 && limitBytes < totalBytes;
  const bytes = isLimited ? limitBytes : totalBytes;
  const session = sessionSizes[browser];
  const carried = Math.floor((bytes - reserveBytes) / session.bytes);
  const of = isLimited ? 'the memory limit' : "the machine's memory";
  return {
    sessions: Math.min(sessionsMax, Math.max(1, carried)),
    by: `${of}, ${inGiB(bytes)} GiB: ${inGiB(reserveBytes)} GiB is kept free, and a session takes ${session.inWords}`,
  };
}

/** `configured`: WHATSAPP_MAX_SESSIONS. */
export function sessionRoom(configured: number | undefined, browser: BrowserKind): SessionRoom {
  if (configured !== undefined) return { sessions: configured, by: 'WHATSAPP_MAX_SESSIONS' };
  return roomByMemory(totalmem(), process.constrainedMemory(), browser);
}

/** `configured`: WHATSAPP_MAX_STARTS. */
export function startsAtOnce(configured: number | undefined): number {
  return configured ?? availableParallelism();
}

function inGiB(bytes: number): string {
  return (bytes / GiB).toFixed(1).replace(/\.0$/, '');
}
