import { readFile } from 'node:fs/promises';
import { setTimeout as lasting } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { eventually } from '../support/eventually.js';
import { allProcesses, membersOfGroup } from '../support/processes.js';
import { startRedis } from '../support/redis-server.js';
import type { Stage } from '../support/stage.js';
import type { Bare } from './bare.js';
import type { Figure } from './figures.js';

/** What a session costs while nothing happens: memory beside bare whatsapp-web.js, and commands to Redis. */
export async function idle(stage: Stage, bare: Bare, profile: string, seconds: number): Promise<Figure[]> {
  const redis = await startRedis();
  const environment = { REDIS_URL: redis.url };
  const supervisor = stage.start('supervisor', environment);
  const http = stage.start('http', environment);
  const client = new Redis(redis.url);
  try {
    await http.post('/api/auth/start');
    await stage.whatsApp.phone.scanCurrent();
    await http.loginSettled();
    // What is measured is the session's owner; a replica keeps asking nothing by itself.
    await http.end('SIGTERM');
    let figures: Figure[] = [];
    await bare.until('ready', profile, async ({ pid }) => {
      const commands = await watchCommands(client);
      await lasting(seconds * 1_000);
      const perS = commands.stop() / seconds;
      const [ours, bares] = await Promise.all([memoryOf(supervisor.pid), memoryOf(pid)]);
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
    client.disconnect();
    await Promise.all([http.end('SIGTERM'), supervisor.end('SIGTERM')]);
    await eventually(() => membersOfGroup(supervisor.pid).length === 0);
    await redis.stop();
  }
}

/** Counts what clients send from now on; what a script does within is part of one command. */
async function watchCommands(redis: Redis): Promise<{ stop(): number }> {
  const monitor = await redis.monitor();
  let count = 0;
  monitor.on('monitor', (_time: string, _words: string[], source: string) => {
    if (source === 'lua') return;
    count++;
  });
  return {
    stop() {
      monitor.disconnect();
      return count;
    },
  };
}

/** Proportional set size in KiB: of the process and its watchdogs, and of the browser below it. */
async function memoryOf(pid: number): Promise<{ node: number; browser: number }> {
  const all = allProcesses();
  const below = new Set([pid]);
  for (let size = 0; size !== below.size; ) {
    size = below.size;
    for (const { pid: child, parent } of all) if (below.has(parent)) below.add(child);
  }
  let [node, browser] = [0, 0];
  for (const { pid: member, commandLine } of all) {
    if (!below.has(member)) continue;
    const kib = await pssOf(member);
    if (commandLine[0]?.includes('chrom')) browser += kib;
    else node += kib;
  }
  return { node, browser };
}

async function pssOf(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0);
}

function mebibytes(kib: number): string {
  return Math.round(kib / 1024).toString();
}
