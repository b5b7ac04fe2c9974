import { type Fault, type FaultName, faults } from './faults.js';
import { Random } from './random.js';

/** One planned fault. */
export interface Step {
  /** ms from the beginning. */
  readonly atMs: number;
  readonly fault: FaultName;
  /** Index of the target. */
  readonly target: number;
  /** How long it lasts, ms; 0: it does not last. */
  readonly forMs: number;
  /** The variant; empty if there is only one. */
  readonly variant: string;
}

/** Pause between two faults of a resource, so that the next one meets it at work. */
const restMs = 500;

/**
 * Plans faults, times, targets and durations from the seed. Uses only faults whose name contains `only`; if that is empty,
 * all faults.
 */
export function planOf(seed: number, lengthMs: number, only = ''): Step[] {
  const random = new Random(seed);
  const names = (Object.keys(faults) as FaultName[])
    .filter((name) => name.includes(only))
    .flatMap((name) => Array<FaultName>(faults[name].weight).fill(name));
  const busyUntil = new Map<string, number>();
  const plan: Step[] = [];
  for (let atMs = random.between(500, 2_000); atMs < lengthMs; atMs += random.between(300, 4_500)) {
    const fault = random.pick(names);
    const { targets, forMs: range, resource, variants }: Fault = faults[fault];
    const target = random.between(0, targets - 1);
    const forMs = Math.min(random.between(...range), lengthMs - atMs);
    const variant = variants === undefined ? '' : random.pick(variants);
    const name = resource(target);
    if ((busyUntil.get(name) ?? 0) > atMs) continue;
    busyUntil.set(name, atMs + forMs + restMs);
    plan.push({ atMs, fault, target, forMs, variant });
  }
  return plan;
}

export function inWords({ atMs, fault, target, forMs, variant }: Step): string {
  const which = faults[fault].targets > 1 ? ` ${target}` : '';
  const length = forMs > 0 ? ` for ${(forMs / 1000).toFixed(1)} s` : '';
  const way = variant === '' ? '' : ` to ${variant}`;
  return `${(atMs / 1000).toFixed(1).padStart(6)} s  ${fault}${way}${which}${length}`;
}
