import { availableParallelism, totalmem } from 'node:os';

/** How many sessions a supervisor can run, as far as this machine tells. */

const GiB = 1_073_741_824;

/** What a session takes: browser, thread and its share of the supervisor. docs/operations.md, "Memory", says the same. */
const sessionBytes = GiB;

/** For the system, the supervisor, HTTP and Redis. */
const reserveBytes = GiB;

export const sessionsMax = 100;

export interface SessionRoom {
  readonly sessions: number;
  /** How the number was found, for the log. */
  readonly by: string;
}

/** `limitBytes`: the limit of the control group (a container, a service); 0, or more than the machine has: there is none. */
export function roomByMemory(totalBytes: number, limitBytes: number): SessionRoom {
  const isLimited = limitBytes > 0 && limitBytes < totalBytes;
  const bytes = isLimited ? limitBytes : totalBytes;
  const carried = Math.floor((bytes - reserveBytes) / sessionBytes);
  const of = isLimited ? 'the memory limit' : "the machine's memory";
  return {
    sessions: Math.min(sessionsMax, Math.max(1, carried)),
    by: `${of}, ${inGiB(bytes)} GiB: ${inGiB(reserveBytes)} GiB is kept free, and a session takes ${inGiB(sessionBytes)} GiB`,
  };
}

/** `configured`: WHATSAPP_MAX_SESSIONS. */
export function sessionRoom(configured: number | undefined): SessionRoom {
  if (configured !== undefined) return { sessions: configured, by: 'WHATSAPP_MAX_SESSIONS' };
  return roomByMemory(totalmem(), process.constrainedMemory());
}

/** `configured`: WHATSAPP_MAX_STARTS. */
export function startsAtOnce(configured: number | undefined): number {
  return configured ?? availableParallelism();
}

function inGiB(bytes: number): string {
  return (bytes / GiB).toFixed(1).replace(/\.0$/, '');
}
