import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Stage } from '../support/stage.js';
import { Bare } from './bare.js';
import { chatList } from './chat-list.js';
import { Embedded } from './embedded.js';
import { eventLatency } from './event-latency.js';
import { type Figure, figuresTable, isReached } from './figures.js';
import { alternating, httpReads } from './http-reads.js';
import { idle } from './idle.js';
import { neighbourLatency } from './neighbours.js';
import { benchOptions } from './options.js';
import { replicas } from './replicas.js';
import { median, reportHeading, writeSection } from './report.js';
import { sending } from './sending.js';

/**
 * `npm run bench [-- --rounds N] [--only WORD] [--long] [--write]`: measures cost and speed of the product, as ratios of
 * values taken in turn in the same run. `--write` puts the table into docs/benchmarks.md. Exit code 1: an aim is missed.
 */
const options = benchOptions();
const { rounds } = options;

const chromium = '/usr/bin/chromium';
// One account is linked to more devices than WhatsApp allows: its sessions are measured together.
const stage = await Stage.open({ maxDevices: 100 });
const bare = new Bare({ ...process.env, ...stage.environment }, chromium, stage.whatsApp.chromeArgs);
const bareProfile = join(stage.dir, 'bare');

const sections: Record<string, () => Promise<Figure[]>> = {
  reads: () => httpReads(stage, rounds, chromium),
  replicas: () => replicas(stage, Math.min(rounds, 3)),
  events: () => eventLatency(stage),
  start: () => start(),
  chats: () => chatList(Math.min(rounds, 3)),
  send: () => sending(stage, bare, bareProfile, Math.min(rounds, 3)),
  neighbours: () => neighbourLatency(stage, Math.min(rounds, 3)),
  idle: () => idle(stage, options.long ? 600 : 60),
};

const figures: Figure[] = [];
try {
  await bare.link(bareProfile, stage.whatsApp);
  for (const [name, measure] of Object.entries(sections)) {
    if (!name.includes(options.only)) continue;
    process.stderr.write(`measuring: ${name}\n`);
    figures.push(...(await measure()));
  }
} finally {
  await stage.close();
}
report();

async function start(): Promise<Figure[]> {
  const fresh = new Embedded(stage, 'fresh');
  let profiles = 0;
  const ms = await alternating(['ours', 'bare'] as const, rounds, async (name) => {
    if (name === 'ours') return fresh.startToQr();
    const profile = join(stage.dir, `bare-${++profiles}`);
    await mkdir(profile);
    return bare.until('qr', profile);
  });
  return [
    {
      name: 'POST /api/auth/start -> a QR',
      ours: `${Math.round(median(ms.ours))} ms`,
      against: `${Math.round(median(ms.bare))} ms (bare whatsapp-web.js, from the start of node)`,
      ratio: median(ms.ours) / median(ms.bare),
      aim: { atMost: 0.9 },
    },
  ];
}

function report(): void {
  const text = `${reportHeading(`medians of ${rounds} rounds`, chromium)}\n\n${figuresTable(figures)}`;
  process.stdout.write(`\n${text}\n`);
  if (options.write) void writeSection(new URL('../../../docs/benchmarks.md', import.meta.url), text);
  const missed = figures.filter((figure) => !isReached(figure));
  process.stdout.write(
    `\n${missed.length} of ${figures.filter(({ aim }) => aim !== null).length} aims missed\n`,
  );
  if (missed.length > 0) process.exitCode = 1;
}
