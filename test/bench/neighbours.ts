import { setTimeout as lasting } from 'node:timers/promises';
import { Neighbours, type Trouble, troubles } from '../support/neighbours.js';
import type { Stage } from '../support/stage.js';
import type { Figure } from './figures.js';
import { percentile } from './report.js';

/** Sends a second in each of the other sessions, and how long each phase lasts. */
const perS = 5;
const phaseMs = 20_000;

/**
 * The p99 of sends in two sessions while a third one on the same supervisor is in trouble, against that of the phases between.
 */
export async function neighbourLatency(stage: Stage, rounds: number): Promise<Figure[]> {
  const sessions = await Neighbours.open(stage);
  try {
    const figures: Figure[] = [];
    for (const [name, trouble] of Object.entries(troubles)) {
      const calm: number[] = [];
      const during: number[] = [];
      for (let round = 0; round < rounds; round++) {
        calm.push(...(await sends(sessions)));
        const over = new AbortController();
        const troubled = (trouble as Trouble)(sessions, over.signal);
        troubled.catch(() => undefined);
        during.push(...(await sends(sessions)));
        over.abort();
        await troubled;
        await recovered(sessions);
      }
      const figure = asFigure(name, calm, during);
      process.stderr.write(`  ${figure.name}: ${figure.ours} against ${figure.against}: ${figure.ratio}\n`);
      figures.push(figure);
    }
    return figures;
  } finally {
    await sessions.close();
  }
}

function asFigure(name: string, calm: readonly number[], during: readonly number[]): Figure {
  return {
    name: `p99 of a send while another session is in trouble: ${name}`,
    ours: inWords(during),
    against: `${inWords(calm)} (without; ${calm.length} sends each)`,
    ratio: percentile(during, 0.99) / percentile(calm, 0.99),
    aim: { atMost: 1.5 },
  };
}

function inWords(ms: readonly number[]): string {
  return `${percentile(ms, 0.99).toFixed(0)} ms (p50 ${percentile(ms, 0.5).toFixed(0)} ms)`;
}

/** Waits until the session in trouble is ready and its queue is empty. */
async function recovered(sessions: Neighbours): Promise<void> {
  await sessions.untilReady('a');
  // A send waits for those before it.
  const last = { phone_number: '15551230000', message: 'the last' };
  while ((await sessions.call('POST', '/api/sessions/a/send', last)).status !== 200) await lasting(200);
}

/** The time of each send of one phase, from the moment at which it was due, ms. */
async function sends(sessions: Neighbours): Promise<number[]> {
  const from = performance.now();
  const times: number[] = [];
  const open: Promise<void>[] = [];
  const everyMs = 1_000 / perS / 2;
  for (let nth = 0; nth * everyMs < phaseMs; nth++) {
    const dueAt = from + nth * everyMs;
    await lasting(Math.max(0, dueAt - performance.now()));
    open.push(
      send(sessions, nth % 2 === 0 ? 'b' : 'c', nth).then(() => void times.push(performance.now() - dueAt)),
    );
  }
  await Promise.all(open);
  return times;
}

async function send(sessions: Neighbours, session: 'b' | 'c', nth: number): Promise<void> {
  const { status, body } = await sessions.call('POST', `/api/sessions/${session}/send`, {
    ...{ phone_number: `1555123000${nth % 10}`, message: `message ${nth}` },
  });
  if (status !== 200) throw new Error(`${status}: ${JSON.stringify(body)}`);
}
