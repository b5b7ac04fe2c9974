import { Counter, type Registry } from 'prom-client';
import { type BoundName, boundTable } from '../../contract/bounds.js';

/** Counts how often each bound was reached in this process; each starts at 0. */
export function createBoundCounter(registers: Registry[]): Counter<'bound'> {
  const counter = new Counter({
    name: 'holdline_bound_reached_total',
    help: 'Times that a bound of docs/bounds.md was reached in this process, by its name.',
    labelNames: ['bound'],
    registers,
  });
  for (const bound of Object.keys(boundTable) as BoundName[]) counter.inc({ bound }, 0);
  return counter;
}
