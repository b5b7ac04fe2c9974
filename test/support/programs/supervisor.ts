import { loadConfig } from '../../../src/platform/config/config.js';
import { createLogger } from '../../../src/platform/logger.js';
import { runUntilSignalled } from '../../../src/platform/shutdown.js';
import { Supervisor } from '../../../src/supervisor/supervisor.js';
import { scriptedThreadEntry } from '../theatre.js';

/**
 * A supervisor as a process, as the entry starts it, but with scripted threads. Its parent can make it suffer what
 * a process can suffer from within.
 */
export type Affliction =
  | { readonly type: 'block'; readonly ms: number }
  | { readonly type: 'clock'; readonly byMs: number };

const config = loadConfig('supervisor', process.env);
const log = createLogger(config.logLevel);

process.on('message', (affliction: Affliction) => {
  if (affliction.type === 'clock') {
    const now = Date.now;
    Date.now = () => now() + affliction.byMs;
    return;
  }
  const until = performance.now() + affliction.ms;
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
