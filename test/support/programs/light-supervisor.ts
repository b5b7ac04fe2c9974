import { loadConfig } from '../../../src/platform/config/config.js';
import { createLogger } from '../../../src/platform/logger.js';
import { readProcessMemory } from '../../../src/platform/proc.js';
import { runUntilSignalled } from '../../../src/platform/shutdown.js';
import { Supervisor } from '../../../src/supervisor/supervisor.js';
import { lightThreadEntry, serveLightThreads } from '../light-threads.js';

/**
 * A supervisor with light threads. LIGHT_ROOM: for how many sessions. It may be more than an operator can configure, so that
 * the others have room when one of them ends.
 */
const config = loadConfig('supervisor', process.env);
const log = createLogger(config.logLevel);
serveLightThreads();

await runUntilSignalled({
  log,
  deadlineMs: config.timing.shutdownMs,
  async start(parts) {
    const supervisor = new Supervisor({
      config: { ...config, maxSessions: Number(process.env.LIGHT_ROOM) },
      redisUrl: config.redisUrl ?? '',
      log,
      threadEntry: lightThreadEntry,
      // The real one looks through all processes of the machine for each session. Here they are those of all supervisors.
      readMemory: async (pid) => ({ ...(await readProcessMemory(pid)), processes: 1 }),
      isAlone: false,
    });
    parts.push({ stop: (force) => supervisor.close(force) });
    await supervisor.start();
    process.send?.({ type: 'up', id: supervisor.id });
  },
});
