import { loadConfig } from '../../../src/platform/config/config.js';
import { createLogger } from '../../../src/platform/logger.js';
import { runUntilSignalled } from '../../../src/platform/shutdown.js';
import { Supervisor } from '../../../src/supervisor/supervisor.js';
import { scriptedThreadEntry } from '../scripted-processes.js';

/**
 * Runs a supervisor as the product's entry does, but with scripted threads. Its parent can send it a fault that happens
 * inside a process.
 */
export type ProcessFault =
  | { readonly type: 'block'; readonly ms: number }
  | { readonly type: 'clock'; readonly byMs: number };

const config = loadConfig('supervisor', process.env);
const log = createLogger(config.logLevel);

process.on('message', (fault: ProcessFault) => {
  if (fault.type === 'clock') {
    const now = Date.now;
    Date.now = () => now() + fault.byMs;
    return;
  }
  const until = performance.now() + fault.ms;
  while (performance.now() < until);
});

await runUntilSignalled({
  log,
  deadlineMs: config.timing.shutdownMs,
  async start(parts) {
    const supervisor = new Supervisor({
      config,
      redisUrl: config.redisUrl ?? '',
      log,
      threadEntry: scriptedThreadEntry,
      isAlone: false,
    });
    parts.push({ stop: (force) => supervisor.close(force) });
    await supervisor.start();
    process.send?.({ type: 'up', id: supervisor.id });
  },
});
