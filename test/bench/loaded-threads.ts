import { setTimeout as lasting } from 'node:timers/promises';
import { timingSchema } from '../../src/contract/timing.js';
import { SessionThread } from '../../src/supervisor/thread.js';
import { pssKib } from '../support/processes.js';

/**
 * `COUNT`: prints the KiB (PSS) that each further session worker thread adds to its process, once its modules are loaded and
 * the garbage of that is collected.
 */
const count = Number(process.argv[2]);
const entry = new URL('../../src/session-worker/main.js', import.meta.url);
const timing = timingSchema.parse({});
/** A thread collects its garbage 10 s after its start; on a busy machine it starts late. */
const unchangedMs = 15_000;
const noiseKib = 1_024;

const threads: SessionThread[] = [];
const load = async (upTo: number) => {
  while (threads.length < upTo) threads.push(new SessionThread(entry, timing));
  let [kib, since] = [pssKib(process.pid), performance.now()];
  while (performance.now() - since < unchangedMs) {
    await lasting(500);
    const now = pssKib(process.pid);
    if (Math.abs(now - kib) > noiseKib) [kib, since] = [now, performance.now()];
  }
  return kib;
};
const one = await load(1);
const all = await load(1 + count);
process.stdout.write(`${(all - one) / count}\n`);
await Promise.all(threads.map((thread) => thread.terminate()));
