import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { timingSchema } from '../../src/contract/timing.js';
import { Stage } from '../support/stage.js';
import { Bare } from './bare.js';
import { Cluster, type Recovery } from './cluster.js';
import { Embedded } from './embedded.js';
import { benchOptions } from './options.js';
import { asTable, isReached, type Measured, median, reportHeading, writeSection } from './report.js';

/**
 * `npm run bench:recovery [-- --rounds N] [--only WORD] [--write]`: measures how long each fault takes to be noticed and to be
 * recovered from, compared with a cold start of bare whatsapp-web.js in the same round. `--write` puts the table into
 * docs/recovery.md. Exit code 1: an aim is missed.
 */
const options = benchOptions();
const { rounds } = options;

const chromium = '/usr/bin/chromium';
const { lockDurationMs, stalledIntervalMs } = timingSchema.parse({});
const failoverMs = (coldMs: number) => lockDurationMs + stalledIntervalMs + 1.2 * coldMs;

const colds: number[] = [];
const bareQrs: number[] = [];
const row = (name: string, aim: Measured['aim'], baseline = colds): Measured => ({
  name,
  aim,
  baseline,
  detected: [],
  recovered: [],
});
const rows = {
  cold: row('cold start of bare whatsapp-web.js', null),
  thread: row('thread dies', { type: 'ratio', atMost: 0.65 }),
  browser: row('browser is killed', { type: 'ratio', atMost: 1 }),
  renderer: row('renderer is killed', null),
  hung: row('page hangs', null),
  stopped: row("owner's supervisor is stopped (SIGTERM)", {
    type: 'time',
    ms: () => lockDurationMs,
    words: 'without waiting for the lock',
  }),
  killed: row("owner's supervisor is killed", {
    type: 'time',
    ms: failoverMs,
    words: 'lock + stalled interval + 1.2 cold starts',
  }),
  all: row('everything is killed, and started again', null),
  bareQr: row('bare whatsapp-web.js: node to QR', null, bareQrs),
  qr: row('POST /api/auth/start to QR', null, bareQrs),
};
type Name = keyof typeof rows;

const stage = await Stage.open();
const bare = new Bare({ ...process.env, ...stage.environment }, chromium, stage.whatsApp.chromeArgs);
const bareProfile = join(stage.dir, 'bare');
try {
  await measure();
} finally {
  await stage.close();
}
report();

async function measure(): Promise<void> {
  await bare.link(bareProfile, stage.whatsApp);
  const revived = new Embedded(stage, 'revived');
  if (isWanted('all')) await revived.linkAndKill();
  const fresh = new Embedded(stage, 'fresh');
  const cluster = await Cluster.open(stage);
  try {
    for (let round = 0; round < rounds; round++) {
      process.stderr.write(`round ${round + 1} of ${rounds}\n`);
      const steps: [Name, () => Promise<void>][] = [
        ['cold', async () => note('cold', await bare.until('ready', bareProfile), colds)],
        ['thread', async () => noteRecovery('thread', await cluster.threadDeath())],
        ['browser', async () => noteRecovery('browser', await cluster.browserDeath())],
        ['renderer', async () => noteRecovery('renderer', await cluster.rendererDeath())],
        ['stopped', async () => noteRecovery('stopped', await cluster.ownerEnds('SIGTERM'))],
        ['hung', async () => noteRecovery('hung', await cluster.hungPage())],
        ['killed', async () => noteRecovery('killed', await cluster.ownerEnds('SIGKILL'))],
      ];
      // Drift of the machine must not favour one side.
      if (round % 2 === 1) steps.reverse();
      for (const [name, step] of steps) if (name === 'cold' || isWanted(name)) await step();
    }
  } finally {
    await cluster.close();
  }
  for (let round = 0; round < rounds; round++) {
    const steps: [Name, () => Promise<void>][] = [
      ['bareQr', async () => note('bareQr', await bareQr(round), bareQrs)],
      ['qr', async () => note('qr', await fresh.startToQr())],
      ['all', async () => note('all', await revived.revive())],
    ];
    if (round % 2 === 1) steps.reverse();
    for (const [name, step] of steps) if (isWanted(name)) await step();
  }
}

function isWanted(name: Name): boolean {
  return rows[name].name.includes(options.only) || (name === 'bareQr' && isWanted('qr'));
}

async function bareQr(round: number): Promise<number> {
  const profile = join(stage.dir, `bare-qr-${round}`);
  await mkdir(profile);
  return bare.until('qr', profile);
}

function note(name: Name, ms: number, also?: number[]): void {
  rows[name].recovered.push(ms);
  also?.push(ms);
  process.stderr.write(`  ${rows[name].name}: ${Math.round(ms)} ms\n`);
}

function noteRecovery(name: Name, { detectedMs, recoveredMs }: Recovery): void {
  rows[name].detected.push(detectedMs);
  note(name, recoveredMs);
}

function report(): void {
  const measured = Object.values(rows).filter(({ recovered }) => recovered.length > 0);
  const text = `${reportHeading(`medians of ${rounds} rounds`, chromium)}\n\n${asTable(measured)}`;
  process.stdout.write(`\n${text}\n`);
  if (options.write) void writeSection(new URL('../../../docs/recovery.md', import.meta.url), text);
  const missed = measured.filter((row) => !isReached(row));
  process.stdout.write(`\ncold start ${Math.round(median(colds))} ms; ${missed.length} aims missed\n`);
  if (missed.length > 0) process.exitCode = 1;
}
