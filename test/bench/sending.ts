import type { Stage } from '../support/stage.js';
import type { Bare, BareClient } from './bare.js';
import type { Figure } from './figures.js';
import { median, percentile } from './report.js';

const messages = 100;
const clients = 8;

/** Compares sends through the API, until WhatsApp has them, with the library's own call in a loop. */
export async function sending(stage: Stage, bare: Bare, profile: string, rounds: number): Promise<Figure[]> {
  const product = stage.start('all');
  try {
    await product.post('/api/auth/start');
    await stage.whatsApp.phone.scanCurrent();
    await product.loginSettled();
    const url = await product.url();
    const ours: Sent[] = [];
    const theirs: Sent[] = [];
    await bare.until('ready', profile, async (client) => {
      for (let round = 0; round < rounds; round++) {
        const steps = [
          async () => ours.push(await throughApi(url, round)),
          async () => theirs.push(await inALoop(client)),
        ];
        for (const step of round % 2 === 0 ? steps : steps.reverse()) await step();
      }
    });
    const [rate, bareRate] = [ours, theirs].map((sent) => median(sent.map(perSecond))) as [number, number];
    const times = ours.flatMap((sent) => sent.timesMs);
    const bareTimes = theirs.flatMap((sent) => sent.timesMs);
    return [
      {
        name: `send, messages/s (${clients} clients at once)`,
        ours: rate.toFixed(1),
        against: `${bareRate.toFixed(1)} (client.sendMessage in a loop, which does not wait for WhatsApp)`,
        ratio: rate / bareRate,
        aim: { atLeast: 0.8 },
      },
      {
        name: 'send, time to the answer',
        ours: inWords(times),
        against: `${inWords(bareTimes)} (until the page has it)`,
        ratio: null,
        aim: null,
      },
    ];
  } finally {
    await product.end('SIGTERM');
  }
}

interface Sent {
  readonly tookMs: number;
  readonly timesMs: readonly number[];
}

async function inALoop(client: BareClient): Promise<Sent> {
  const timesMs = await client.send(messages);
  return { tookMs: timesMs.reduce((sum, ms) => sum + ms, 0), timesMs };
}

async function throughApi(url: string, round: number): Promise<Sent> {
  const timesMs: number[] = [];
  let next = 0;
  const startedAt = performance.now();
  const client = async () => {
    while (next < messages) {
      const body = JSON.stringify({ phone_number: '15551234567', message: `message ${round}.${next++}` });
      const askedAt = performance.now();
      const answer = await fetch(`${url}/api/send`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      if (answer.status !== 200) throw new Error(`${answer.status}: ${await answer.text()}`);
      await answer.arrayBuffer();
      timesMs.push(performance.now() - askedAt);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return { tookMs: performance.now() - startedAt, timesMs };
}

function perSecond({ tookMs, timesMs }: Sent): number {
  return (timesMs.length / tookMs) * 1_000;
}

function inWords(ms: readonly number[]): string {
  return `p50 ${percentile(ms, 0.5).toFixed(0)} ms, p99 ${percentile(ms, 0.99).toFixed(0)} ms`;
}
