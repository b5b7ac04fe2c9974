import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { programArguments } from '../support/program-arguments.js';
import { reportHeading, writeSection } from './report.js';
import { measureMessages } from './scale/messages.js';
import { measureReal } from './scale/real.js';
import { measureScripted } from './scale/scripted.js';
import {
  messageFigures,
  missedOf,
  realFigures,
  type ScaleFigure,
  scaleTable,
  scriptedFigures,
} from './scale/table.js';

/**
 * `npm run bench:scale [-- --sessions N] [--supervisors N] [--only scripted|real] [--write]`: measures a deployment with many
 * sessions. `scripted`: N sessions without browsers. `real`: 12 sessions with Chromium on the stand-in, on two supervisors.
 * `--write` puts the tables into docs/scaling.md. Exit code 1: an aim is missed.
 */
const chromium = '/usr/bin/chromium';
const page = new URL('../../../docs/scaling.md', import.meta.url);
const realSessions = 12;

/** What a scripted session takes of this machine, with its two processes, and what is left to others. */
const mibPerSession = 10;
const mibKeptFree = 2_048;

const { sessions, supervisors, only, write } = readOptions();
const log = (line: string) => void process.stderr.write(`${line}\n`);

const parts: Record<string, () => Promise<{ how: string; figures: readonly ScaleFigure[] }>> = {
  async scripted() {
    const fitting = sessionsThatFit();
    const options = { settleSeconds: 15, idleSeconds: 30, listCalls: 200, timeoutMs: 480_000 };
    const messages = await measureMessages({ sends: 400, events: 2_000, idleSeconds: 10, log });
    const result = await measureScripted({ ...options, sessions: fitting, supervisors, log });
    const asked = fitting < sessions ? ` (memory for no more of ${sessions})` : '';
    const how = `${fitting} scripted sessions${asked} on ${supervisors} supervisors and one replica`;
    return { how, figures: [...scriptedFigures(result), ...messageFigures(messages)] };
  },
  async real() {
    const result = await measureReal({ sessions: realSessions, settleSeconds: 20, log });
    const how = `${realSessions} sessions with Chromium on the stand-in page, on two supervisors with a disk each`;
    return { how, figures: realFigures(result) };
  },
};

let missed = 0;
for (const [name, measure] of Object.entries(parts)) {
  if (!name.includes(only)) continue;
  log(`measuring: ${name}`);
  const { how, figures } = await measure();
  // What other programs take of the machine shows in all times.
  const load = Math.round(loadavg()[1] ?? Number.NaN);
  const text = `${reportHeading(`${how}, load average ${load}`, chromium)}\n\n${scaleTable(figures)}`;
  process.stdout.write(`\n${text}\n`);
  if (write) await writeSection(page, text, `measured-${name}`);
  missed += missedOf(figures);
}
process.stdout.write(`\n${missed} aims missed\n`);
if (missed > 0) process.exitCode = 1;

function readOptions(): { sessions: number; supervisors: number; only: string; write: boolean } {
  const usage = 'npm run bench:scale [-- --sessions N] [--supervisors N] [--only scripted|real] [--write]';
  const { values } = programArguments(usage, {
    sessions: { type: 'string', default: '1000' },
    supervisors: { type: 'string', default: '10' },
    only: { type: 'string', default: '' },
    write: { type: 'boolean', default: false },
  });
  const number = (name: 'sessions' | 'supervisors', min: number, max: number) => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    process.stderr.write(
      `holdline: --${name} must be a number from ${min} to ${max}, not '${values[name]}'\n`,
    );
    process.exit(64);
  };
  // Two supervisors are ended, and one must be left.
  return { ...values, sessions: number('sessions', 1, 5_000), supervisors: number('supervisors', 3, 50) };
}

function sessionsThatFit(): number {
  const free =
    Number(/^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1]) / 1_024;
  const fitting = Math.min(sessions, Math.floor((free - mibKeptFree) / mibPerSession));
  if (fitting < sessions)
    log(`${Math.round(free)} MiB of memory are free: only ${fitting} of ${sessions} sessions fit`);
  return Math.max(1, fitting);
}
