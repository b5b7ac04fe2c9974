import { setMaxListeners } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { type AttackName, attacks } from './attacks.js';

/** The thread of whoever attacks: what it costs to attack must not make the owner's looks late. */
export interface AttackOrder {
  readonly name: AttackName;
  readonly port: number;
  readonly forMs: number;
}

const { name, port, forMs } = workerData as AttackOrder;
const over = new AbortController();
// One listener a connection: many are no leak.
setMaxListeners(0, over.signal);
setTimeout(() => over.abort(), forMs);
const seen = await attacks[name]({ port, signal: over.signal });
parentPort?.postMessage(seen);
