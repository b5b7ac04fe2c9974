import { Counter, type Registry } from 'prom-client';
import { type BoundName, boundTable } from '../../contract/bounds.js';

/** How often each bound was met here, each from 0 on. */
export function createBoundCounter(registers: Registry[]): Counter<'bound'> {
  const counter = new Counter({
    name: 'holdline_bound_reached_total',
    help: 'Times that a bound of docs/bounds.md was met here, by its name.',
    labelNames: ['bound'],
    registers,
  });
  for (const bound of Object.keys(boundTable) as BoundName[]) counter.inc({ bound }, 0);
  return counter;
}
