import { execFile } from 'node:child_process';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as lasting } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findHeadlessShell } from '../support/headless-shell.js';
import type { Stage } from '../support/stage.js';
import { Bare } from './bare.js';
import type { Figure } from './figures.js';
import { sumOf, watchCommands } from './scale/redis-load.js';
import { type Memory, memoryOf, Sessions } from './sessions.js';

/** Debian's, without its wrapper. */
const installed = '/usr/lib/chromium';

/** Sessions of one supervisor, to tell what a further one costs. */
const several = 3;
const many = 20;

/** KiB of one session that is alone on its machine, and of each of several, which share the browser's program. */
interface Cost {
  readonly alone: Memory;
  readonly together: Memory;
}

/**
 * Cost of an idle session: memory, compared with bare whatsapp-web.js in Chromium, and commands to Redis. Nothing that is compared runs
 * at the same time, and the browsers are copies of the installed ones: memory that a browser shares with another, also with one of
 * somebody else, would count for it only in part.
 */
export async function idle(stage: Stage, seconds: number): Promise<Figure[]> {
  const folder = join(stage.dir, 'browsers');
  await cp(installed, folder, { recursive: true });
  const [chromium, shell] = [join(folder, 'chromium'), join(folder, 'chromium-headless-shell')];
  const bare = await costOfBare(stage, chromium, seconds);
  const inChromium = await costOfSessions(stage, chromium, seconds);
  const { cost, supervisor, commandsPerS } = inChromium;
  const figures: Figure[] = [
    {
      ...row(`supervisor, thread and Chromium of one session, idle for ${seconds} s`, supervisor, bare.alone),
      aim: { atMost: 1.15 },
    },
    row('one idle session alone, in Chromium: browser + thread', cost.alone, bare.alone),
    row(`each of ${several} idle sessions, in Chromium: browser + thread`, cost.together, bare.together),
  ];
  if (findHeadlessShell() === undefined) {
    process.stderr.write('chromium-headless-shell is missing: its rows are left out\n');
  } else {
    const { cost: ours } = await costOfSessions(stage, shell, seconds);
    figures.push(
      {
        ...row('one idle session alone, in the headless shell: browser + thread', ours.alone, bare.alone),
        aim: { atMost: 0.75 },
      },
      row(
        `each of ${several} idle sessions, in the headless shell: browser + thread`,
        ours.together,
        bare.together,
      ),
      await ownShare(stage, shell, seconds),
    );
  }
  return [
    ...figures,
    {
      name: 'commands sent to Redis per second, idle and ready',
      ours: commandsPerS.toFixed(1),
      against: '',
      ratio: null,
      aim: { atMost: 5, of: commandsPerS },
    },
  ];
}

async function costOfBare(stage: Stage, executable: string, seconds: number): Promise<Cost> {
  const bare = new Bare({ ...process.env, ...stage.environment }, executable, stage.whatsApp.chromeArgs);
  const profiles = Array.from({ length: several }, (_, i) => join(stage.dir, `bare-idle-${i}`));
  for (const profile of profiles) await bare.link(profile, stage.whatsApp);
  const pids: number[] = [];
  const measured: Memory[] = [];
  /** Each client runs within the life of the one before. Now and then the library misses its `ready`: then it is started again. */
  const runFrom = async (index: number, attempts = 5): Promise<void> => {
    const profile = profiles[index];
    if (profile === undefined) return;
    let isReady = false;
    const whenReady = async ({ pid }: { pid: number }) => {
      isReady = true;
      pids.push(pid);
      if (index === 0 || index === several - 1) {
        await lasting(seconds * 1_000);
        measured.push(sum(pids.map(memoryOf)));
      }
      await runFrom(index + 1);
    };
    try {
      await bare.until('ready', profile, whenReady);
    } catch (error) {
      if (isReady || attempts === 1) throw error;
      await runFrom(index, attempts - 1);
    }
  };
  await runFrom(0);
  const [one = none, all = none] = measured;
  return { alone: one, together: { node: all.node / several, browser: all.browser / several } };
}

async function costOfSessions(stage: Stage, executable: string, seconds: number) {
  const sessions = await Sessions.open(
    stage,
    executable.endsWith('shell') ? 'shell' : 'chromium',
    executable,
  );
  try {
    await sessions.growTo(1);
    const commands = await watchCommands(sessions.redis.port);
    await lasting(seconds * 1_000);
    const commandsPerS = sumOf((await commands.stop()).values()) / seconds;
    const supervisor = sessions.memory;
    await sessions.growTo(several);
    await lasting(seconds * 1_000);
    const all = sessions.memory;
    // By what the process of the supervisor grows.
    const thread = (all.node - supervisor.node) / (several - 1);
    const cost: Cost = {
      alone: { browser: supervisor.browser, node: thread },
      together: { browser: all.browser / several, node: thread },
    };
    return { cost, supervisor, commandsPerS };
  } finally {
    await sessions.close();
  }
}

/** What a supervisor takes besides its browsers and the loaded threads of its sessions, for each of many sessions. */
async function ownShare(stage: Stage, executable: string, seconds: number): Promise<Figure> {
  const program = fileURLToPath(new URL('./loaded-threads.js', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program, '8']);
  const threadKib = Number(stdout);
  const sessions = await Sessions.open(stage, 'many', executable);
  try {
    await sessions.growTo(many);
    await lasting(seconds * 1_000);
    const { node } = sessions.memory;
    const share = (node - many * threadKib) / many / 1024;
    return {
      name: `the supervisor's own share of each of ${many} idle sessions`,
      ours: `${share.toFixed(1)} MiB`,
      against: `the whole: ${mebibytes(node)} MiB; ${(threadKib / 1024).toFixed(1)} MiB of each session is its loaded thread`,
      ratio: null,
      aim: { atMost: 15, of: share },
    };
  } finally {
    await sessions.close();
  }
}

function row(name: string, ours: Memory, bare: Memory): Figure {
  const parts = ({ browser, node }: Memory) => `${mebibytes(browser)} + ${mebibytes(node)} MiB`;
  return {
    name: `memory of ${name} (PSS)`,
    ours: parts(ours),
    against: `${parts(bare)} (bare whatsapp-web.js: Chromium + node)`,
    ratio: (ours.browser + ours.node) / (bare.browser + bare.node),
    aim: null,
  };
}

const none: Memory = { node: Number.NaN, browser: Number.NaN };

function sum(parts: readonly Memory[]): Memory {
  return parts.reduce((a, b) => ({ node: a.node + b.node, browser: a.browser + b.browser }));
}

function mebibytes(kib: number): string {
  return Math.round(kib / 1024).toString();
}
