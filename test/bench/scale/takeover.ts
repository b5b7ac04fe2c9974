import { setTimeout as lasting } from 'node:timers/promises';
import { percentile } from '../report.js';
import type { LightFleet, LightSupervisor } from './light-fleet.js';

/** How the sessions of a supervisor that ended came to others. Times from its end, ms, in ascending order. */
export interface Takeover {
  readonly sessions: number;
  /** Another supervisor had claimed the session. */
  readonly claimedMs: readonly number[];
  readonly readyMs: readonly number[];
  /** How many each of the others got. */
  readonly gained: readonly number[];
}

const pollMs = 100;

/** Ends the supervisor, and watches its sessions until all are ready at others. Throws if one is not within `timeoutMs`. */
export async function takeover(
  fleet: LightFleet,
  supervisor: LightSupervisor,
  signal: 'SIGKILL' | 'SIGTERM',
  timeoutMs: number,
): Promise<Takeover> {
  const before = await fleet.statuses();
  const lost = [...before].filter(([, { supervisor: owner }]) => owner === supervisor.id);
  const names = lost.map(([session]) => session);
  const epochs = new Map(lost.map(([session, { epoch }]) => [session, epoch]));
  fleet.end(supervisor, signal);
  const endedAt = performance.now();
  const claimed = new Map<string, number>();
  const ready = new Map<string, number>();
  const owners = new Map<string, string>();
  while (ready.size < names.length) {
    const now = performance.now() - endedAt;
    if (now > timeoutMs) {
      const missing = names.length - ready.size;
      throw new Error(
        `${missing} of ${names.length} sessions were not ready ${timeoutMs / 1000} s after the end`,
      );
    }
    for (const [session, status] of await fleet.statuses(names)) {
      if (status.epoch <= (epochs.get(session) ?? 0)) continue;
      if (!claimed.has(session)) claimed.set(session, now);
      if (!status.ready || ready.has(session)) continue;
      ready.set(session, now);
      owners.set(session, status.supervisor ?? '');
    }
    await lasting(pollMs);
  }
  const gained = fleet.supervisors.map(
    ({ id }) => [...owners.values()].filter((owner) => owner === id).length,
  );
  return { sessions: names.length, claimedMs: ascending(claimed), readyMs: ascending(ready), gained };
}

function ascending(times: ReadonlyMap<string, number>): number[] {
  return [...times.values()].sort((a, b) => a - b);
}

/** `first 13.1 s, median 14.0 s, last 15.2 s` */
export function spanOf(ms: readonly number[]): string {
  const s = (value: number) => `${(value / 1_000).toFixed(1)} s`;
  return `first ${s(ms[0] ?? Number.NaN)}, median ${s(percentile(ms, 0.5))}, last ${s(ms.at(-1) ?? Number.NaN)}`;
}
