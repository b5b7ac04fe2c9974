import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { programArguments } from '../support/program-arguments.js';
import { ChaosCluster } from './cluster.js';
import { faults } from './faults.js';
import { Followers } from './followers.js';
import { Growth } from './growth.js';
import { inWords, planOf, type Step } from './plan.js';
import { Senders } from './senders.js';
import { StatusPoller } from './status-poller.js';

/**
 * `npm run test:chaos [-- --seconds S] [--seed N] [--only WORD] [--plan]`: for S seconds (60) injects faults into a cluster while
 * clients poll and send. Then the session must recover, and every answer must have been true. The same seed gives the same
 * plan. The output ends with the line "N passed, N failed".
 */
const usage = 'npm run test:chaos [-- --seconds S] [--seed N] [--only WORD] [--plan]';
const { values: options } = programArguments(usage, {
  seconds: { type: 'string', default: '60' },
  seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  only: { type: 'string', default: '' },
  plan: { type: 'boolean', default: false },
});
const seconds = numberOf('seconds', options.seconds, 7_200);
const seed = numberOf('seed', options.seed, 4_294_967_295);
/** Longest time from the last fault to `ready` on every replica. A lock may have to lapse and a send to be given up first. */
const convergenceMs = 60_000;

if (!Object.keys(faults).some((name) => name.includes(options.only)))
  refuse(`no fault's name has '${options.only}'`);
const plan = planOf(seed, seconds * 1000, options.only);
const complaints: string[] = [];
const complained = new Map<string, number>();
const startedAt = performance.now();
const executed: string[] = [];

print(`chaos: seed ${seed}, ${seconds} s, ${plan.length} faults`);
if (options.plan) {
  print(plan.map(inWords).join('\n'));
  process.exit(0);
}
const cluster = await ChaosCluster.open();
// Ended from outside: reports what is known so far. The other processes end with this one.
process.once('SIGTERM', () => {
  complain('ended from outside before everything had settled');
  report();
  process.exit();
});
await run().catch(complainAbout);
report();

async function run(): Promise<void> {
  const poller = new StatusPoller(cluster, complain);
  const growth = new Growth(cluster, seconds);
  const senders = new Senders(cluster, seed, complain);
  const followers = new Followers(cluster, seed, complain);
  try {
    await runPlan(senders, followers).catch(complainAbout);
  } finally {
    await poller.stop();
    await Promise.all([senders.stop(), followers.stop()]);
    print(`polls: ${JSON.stringify(poller.tally)}`);
    await cluster.heal();
    for (const line of await growth.judge(complain)) print(`growth: ${line}`);
    await saveLogs();
    await cluster.close();
  }
}

async function runPlan(senders: Senders, followers: Followers): Promise<void> {
  await execute(plan);
  await cluster.heal();
  const healedAt = performance.now();
  await cluster.settled(convergenceMs);
  print(
    `ready on every replica ${((performance.now() - healedAt) / 1000).toFixed(1)} s after the last fault`,
  );
  await senders.stop();
  const tally = await senders.judge();
  print(`sends: ${JSON.stringify(tally)}`);
  if (tally.sent === 0) complain('nothing was ever sent');
  print(`events: ${await followers.judge()}`);
}

/** Injects each fault at its time, independently of the others. */
async function execute(steps: readonly Step[]): Promise<void> {
  const beganAt = performance.now();
  await Promise.all(
    steps.map(async (step) => {
      await sleep(Math.max(0, step.atMs - (performance.now() - beganAt)));
      executed.push(`${stamp()}  ${inWords(step).trim()}`);
      await faults[step.fault]
        .inject(cluster, step.target, step.forMs, step.variant)
        .catch((error: unknown) => {
          complain(`${step.fault} could not be injected: ${String(error)}`);
        });
    }),
  );
}

function complainAbout(error: Error): void {
  complain(`${error.message}: ${String(error.cause ?? '')}`);
}

/** Records a complaint. Of those that differ only in numbers, it keeps the first three. */
function complain(what: string): void {
  const kind = what.replace(/\d+/g, '').slice(0, 80);
  const times = (complained.get(kind) ?? 0) + 1;
  complained.set(kind, times);
  if (times <= 3) complaints.push(`${stamp()}  ${what}`);
}

/** Seconds since the start, and the time as in the logs. */
function stamp(): string {
  return `${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s ${Date.now()}`;
}

async function saveLogs(): Promise<void> {
  if (complaints.length === 0) return;
  const dir = await mkdtemp(join(tmpdir(), `holdline-chaos-${seed}-`));
  for (const { name, product } of cluster.started) {
    await writeFile(join(dir, `${name.replace(' ', '-')}-${product.pid}.log`), product.output);
  }
  for (const { name, account } of cluster.sessions) {
    const { journal } = await account.phone.state();
    await writeFile(
      join(dir, `whatsapp-${name}.log`),
      journal.map(({ at, text }) => `${at} ${text}`).join('\n'),
    );
  }
  print(`logs: ${dir}`);
}

function report(): void {
  if (complaints.length > 0) {
    print(`\nwhat happened:\n${executed.join('\n')}\n\nwhat was wrong:\n${complaints.join('\n')}`);
    print(
      `\nagain: npm run test:chaos -- --seed ${seed} --seconds ${seconds}${options.only ? ` --only '${options.only}'` : ''}`,
    );
  }
  print(complaints.length === 0 ? '1 passed, 0 failed' : '0 passed, 1 failed');
  process.exitCode = complaints.length === 0 ? 0 : 1;
}

function numberOf(name: string, text: string, most: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= most) return number;
  return refuse(`--${name} must be a whole number from 1 to ${most}, not '${text}'`);
}

function refuse(why: string): never {
  process.stderr.write(`holdline: ${why}\n`);
  process.exit(64);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
