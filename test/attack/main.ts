import { programArguments } from '../support/program-arguments.js';
import type { AttackName } from './attacks.js';
import {
  fetchFromForeignPage,
  type Outcome,
  strangersWrite,
  streamsEndWithTheirLogin,
} from './multi-step-attacks.js';
import { type Observation, Target } from './target.js';

/**
 * `npm run test:attack [-- WORD]`: runs each attack over loopback for some seconds, while the owner requests the status from
 * another address. Prints the slowest answer, the most memory and the greatest age of the lease. The output ends with the
 * line "N passed, N failed".
 */
const forMs = 10_000;
const p99MaxMs = 250;
const [word = ''] = programArguments('npm run test:attack [-- WORD]', {}, 1).positionals;
let passed = 0;
const failures: string[] = [];

const target = await Target.open();
try {
  const { observed: baseline } = await target.watch(
    () => new Promise((resolve) => setTimeout(resolve, forMs)),
  );
  print(`baseline: ${inWords(baseline)}`);
  for (const [name, work] of Object.entries(allAttacks())) {
    if (!name.includes(word)) continue;
    const life = await target.recovered();
    const { observed, result } = await target.watch(() =>
      work().catch((error: Error): Outcome => ({ seen: 'it failed', complaint: error.message })),
    );
    const complaints = [...judge(observed, baseline, life), ...(result.complaint ? [result.complaint] : [])];
    print(`${complaints.length === 0 ? '✔' : '✖'} ${name}: ${inWords(observed)}; ${result.seen}`);
    for (const complaint of complaints) print(`    ${complaint}`);
    if (complaints.length === 0) passed++;
    else failures.push(name);
  }
} finally {
  await target.close();
}
print(`${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length === 0 ? 0 : 1;

function allAttacks(): Record<string, () => Promise<Outcome>> {
  const attack = (name: AttackName) => async () => ({ seen: await target.attack(name, forMs) });
  return {
    '1 pipelining without a key': attack('pipelining'),
    '1 pipelining, answers read': attack('pipelining-and-reading'),
    '1 a connection for each request': attack('connecting'),
    '1 half-open connections': attack('half-open'),
    '2 files over one connection': attack('files'),
    '3 keys of JSON': attack('keys-of-json'),
    '4 long messages of strangers': () => strangersWrite(target),
    '4 catch-ups from the beginning': attack('catch-ups'),
    '5 streams after the sign-out': () => streamsEndWithTheirLogin(target),
    '6 requests by a foreign page': () => fetchFromForeignPage(target),
    '7 the queue of sends': async () => {
      await target.stage.whatsApp.faults.set({ sendStalls: 'unsent' });
      return { seen: await target.attack('sends', 4 * forMs) };
    },
  };
}

/** The claims that the observation does not meet. */
function judge(observed: Observation, baseline: Observation, life: string): string[] {
  const isLost = observed.lives.length !== 1 || observed.lives[0] !== life;
  const claims: [boolean, string][] = [
    [observed.failed.length === 0, `${observed.failed.length} answers failed: ${observed.failed[0]}`],
    [observed.p99Ms <= p99MaxMs, `the p99 of the status was ${observed.p99Ms} ms, of ${p99MaxMs} allowed`],
    [
      observed.memoryMb < 2 * baseline.memoryMb,
      `memory was ${observed.memoryMb} MB, but ${baseline.memoryMb} at the baseline`,
    ],
    [observed.leaseMs < 2 * observed.renewIntervalMs, `the lease was ${observed.leaseMs} ms old`],
    [!isLost, `the session did not stay: lives ${observed.lives}, states ${observed.states}`],
  ];
  return claims.filter(([holds]) => !holds).map(([, complaint]) => complaint);
}

function inWords({ p99Ms, worstMs, asked, memoryMb, redisPeakMb, leaseMs }: Observation): string {
  return `p99 ${p99Ms} ms, worst ${worstMs} ms of ${asked}, memory ${memoryMb} MB, Redis ${redisPeakMb} MB, lease ${leaseMs} ms`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
