import { setTimeout as lasting } from 'node:timers/promises';
import { eventually } from '../support/eventually.js';
import { membersOfGroup, pssKib, withDescendants } from '../support/processes.js';
import { startRedis } from '../support/redis-server.js';
import type { Stage } from '../support/stage.js';
import type { Bare } from './bare.js';
import type { Figure } from './figures.js';
import { sumOf, watchCommands } from './scale/redis-load.js';

/** Cost of an idle session: memory, compared with bare whatsapp-web.js, and commands to Redis. */
export async function idle(stage: Stage, bare: Bare, profile: string, seconds: number): Promise<Figure[]> {
  const redis = await startRedis();
  const environment = { REDIS_URL: redis.url };
  const supervisor = stage.start('supervisor', environment);
  const http = stage.start('http', environment);
  try {
    await http.post('/api/auth/start');
    await stage.whatsApp.phone.scanCurrent();
    await http.loginSettled();
    // Only the session's owner is measured. An idle replica sends no commands.
    await http.end('SIGTERM');
    let figures: Figure[] = [];
    await bare.until('ready', profile, async ({ pid }) => {
      const commands = await watchCommands(redis.port);
      await lasting(seconds * 1_000);
      const perS = sumOf((await commands.stop()).values()) / seconds;
      const [ours, bares] = [memoryOf(supervisor.pid), memoryOf(pid)];
      figures = [
        {
          name: `memory of supervisor, thread and browser, idle for ${seconds} s (PSS)`,
          ours: `${mebibytes(ours.node)} + ${mebibytes(ours.browser)} MiB`,
          against: `${mebibytes(bares.node)} + ${mebibytes(bares.browser)} MiB (bare whatsapp-web.js: node + browser)`,
          ratio: (ours.node + ours.browser) / (bares.node + bares.browser),
          aim: { atMost: 1.15 },
        },
        {
          name: 'commands sent to Redis per second, idle and ready',
          ours: perS.toFixed(1),
          against: '',
          ratio: null,
          aim: { atMost: 5, of: perS },
        },
      ];
    });
    return figures;
  } finally {
    await Promise.all([http.end('SIGTERM'), supervisor.end('SIGTERM')]);
    await eventually(() => membersOfGroup(supervisor.pid).length === 0);
    await redis.stop();
  }
}

/** KiB: of the process with its watchdogs, and of the browser below it. */
function memoryOf(pid: number): { node: number; browser: number } {
  let [node, browser] = [0, 0];
  for (const { pid: member, commandLine } of withDescendants([pid])) {
    const kib = pssKib(member);
    if (commandLine[0]?.includes('chrom')) browser += kib;
    else node += kib;
  }
  return { node, browser };
}

function mebibytes(kib: number): string {
  return Math.round(kib / 1024).toString();
}
