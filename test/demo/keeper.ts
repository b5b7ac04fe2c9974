import { once } from 'node:events';
import { cleanUp } from './clean-up.js';

/**
 * `keeper.js DIR`: cleans up after the demo when the demo's process ends in any way, also by SIGKILL. Each message is the pid of
 * the product that runs now. The connection to the demo closes with the demo.
 */
const [dir = ''] = process.argv.slice(2);
let productPid: number | null = null;
process.on('message', (pid: number) => {
  productPid = pid;
});
// The terminal's signals are for the demo.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
await once(process, 'disconnect');
await cleanUp(dir, productPid);
