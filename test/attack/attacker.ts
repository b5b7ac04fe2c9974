import { setMaxListeners } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { type AttackName, attacks } from './attacks.js';

/** The attacker's thread. The attack must not delay the owner's requests, so they run in different threads. */
export interface AttackOrder {
  readonly name: AttackName;
  readonly port: number;
  readonly forMs: number;
}

const { name, port, forMs } = workerData as AttackOrder;
const over = new AbortController();
// One listener for each connection: many listeners are not a leak.
setMaxListeners(0, over.signal);
setTimeout(() => over.abort(), forMs);
const seen = await attacks[name]({ port, signal: over.signal });
parentPort?.postMessage(seen);
