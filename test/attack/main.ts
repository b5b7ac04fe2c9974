import type { AttackName } from './attacks.js';
import { type Sight, Target } from './target.js';
import { fetchFromForeignPage, strangersWrite, streamsEndWithTheirLogin } from './ways.js';

/**
 * `npm run test:attack [-- WORD]`: repeats over loopback what an attacker did to the product, each for some seconds, while its
 * owner asks for the status from another address. Prints the worst answer, the most memory and the age of the lease; ends with the plain line
 * "N passed, N failed".
 */
const forMs = 10_000;
const p99MaxMs = 250;
const word = process.argv[2] ?? '';
let passed = 0;
const failures: string[] = [];

const target = await Target.open();
try {
  const { sight: peace } = await target.watch(() => new Promise((resolve) => setTimeout(resolve, forMs)));
  print(`peace: ${inWords(peace)}`);
  for (const [name, work] of Object.entries(ways())) {
    if (!name.includes(word)) continue;
    const life = await target.recovered();
    const { sight, result } = await target.watch(() =>
      work().catch((error: Error): Outcome => ({ seen: 'it failed', complaint: error.message })),
    );
    const complaints = [...judge(sight, peace, life), ...(result.complaint ? [result.complaint] : [])];
    print(`${complaints.length === 0 ? '✔' : '✖'} ${name}: ${inWords(sight)}; ${result.seen}`);
    for (const complaint of complaints) print(`    ${complaint}`);
    if (complaints.length === 0) passed++;
    else failures.push(name);
  }
} finally {
  await target.close();
}
print(`${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length === 0 ? 0 : 1;

interface Outcome {
  readonly seen: string;
  readonly complaint?: string;
}

function ways(): Record<string, () => Promise<Outcome>> {
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

/** What is wrong with what was seen. */
function judge(sight: Sight, peace: Sight, life: string): string[] {
  const isLost = sight.lives.length !== 1 || sight.lives[0] !== life;
  const claims: [boolean, string][] = [
    [sight.failed.length === 0, `${sight.failed.length} answers failed: ${sight.failed[0]}`],
    [sight.p99Ms <= p99MaxMs, `the p99 of the status was ${sight.p99Ms} ms, of ${p99MaxMs} allowed`],
    [sight.memoryMb < 2 * peace.memoryMb, `memory was ${sight.memoryMb} MB, in peace ${peace.memoryMb}`],
    [sight.leaseMs < 2 * sight.renewIntervalMs, `the lease was ${sight.leaseMs} ms old`],
    [!isLost, `the session did not stay: lives ${sight.lives}, states ${sight.states}`],
  ];
  return claims.filter(([holds]) => !holds).map(([, complaint]) => complaint);
}

function inWords({ p99Ms, worstMs, asked, memoryMb, redisPeakMb, leaseMs }: Sight): string {
  return `p99 ${p99Ms} ms, worst ${worstMs} ms of ${asked}, memory ${memoryMb} MB, Redis ${redisPeakMb} MB, lease ${leaseMs} ms`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
