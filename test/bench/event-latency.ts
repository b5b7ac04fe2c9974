import { Redis } from 'ioredis';
import type { SessionEvent } from '../../src/contract/events.js';
import { eventually } from '../support/eventually.js';
import { startRedis } from '../support/redis-server.js';
import type { Stage } from '../support/stage.js';
import { DEFAULT_TIMING } from '../whatsapp-web/settings.js';
import type { Figure } from './figures.js';
import { percentile } from './report.js';

const codes = 200;

/** Time from WhatsApp issuing a code to a listener's event, and to the listener having the image. */
export async function eventLatency(stage: Stage): Promise<Figure[]> {
  const redis = await startRedis();
  const environment = { REDIS_URL: redis.url };
  const supervisor = stage.start('supervisor', environment);
  const http = stage.start('http', environment);
  const { phone, timing } = stage.whatsApp;
  const leaving = new AbortController();
  try {
    // The first code is valid long enough for the library to listen before the second is issued.
    await timing.set({ firstRefMs: 5_000, nextRefMs: 200, refsPerBatch: codes + 50 });
    const earlier = (await phone.state()).refs.length;
    const url = await http.url();
    const notified = new Map<number, number>();
    const shown = new Map<number, number>();
    const following = follow(`${url}/api/events?types=qr`, leaving.signal, async ({ data }) => {
      const { available, number } = data as { available: boolean; number: number };
      if (!available) return;
      notified.set(number, Date.now());
      await (await fetch(`${url}/qr.png`)).arrayBuffer();
      shown.set(number, Date.now());
    });
    following.catch(() => undefined);
    await http.post('/api/auth/start');
    await eventually(() => shown.size >= codes, { timeoutMs: 120_000, message: `${codes} codes` });
    const { refs } = await phone.state();
    await http.post('/api/stop');
    const since = (times: ReadonlyMap<number, number>) =>
      [...times].slice(1).map(([number, at]) => at - (refs[earlier + number - 1]?.issuedAt ?? Number.NaN));
    const pingMs = await roundTripMs(redis.url);
    return [
      asFigure('code issued -> a listener knows of it', since(notified), pingMs),
      asFigure('code issued -> a listener has its image', since(shown), pingMs),
    ];
  } finally {
    leaving.abort();
    await Promise.all([http.end('SIGTERM'), supervisor.end('SIGTERM')]);
    await timing.set(DEFAULT_TIMING);
    await redis.stop();
  }
}

/** Reads server-sent events and passes each on as soon as it is complete. */
async function follow(
  url: string,
  signal: AbortSignal,
  onEvent: (event: SessionEvent) => Promise<void>,
): Promise<void> {
  const { body } = await fetch(url, { signal });
  let rest = '';
  for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data !== undefined) void onEvent(JSON.parse(data) as SessionEvent);
    }
  }
}

function asFigure(name: string, ms: number[], pingMs: number): Figure {
  const p99 = percentile(ms, 0.99);
  return {
    name: `${name} (${ms.length} codes)`,
    ours: `median ${percentile(ms, 0.5)} ms, p99 ${p99} ms`,
    against: `Redis PING ${pingMs.toFixed(2)} ms; a page that reloads every 5 s: up to 5000 ms`,
    ratio: null,
    aim: { atMost: 50, of: p99 },
  };
}

async function roundTripMs(url: string): Promise<number> {
  const redis = new Redis(url);
  const times: number[] = [];
  for (let i = 0; i < 200; i++) {
    const sentAt = performance.now();
    await redis.ping();
    times.push(performance.now() - sentAt);
  }
  redis.disconnect();
  return percentile(times, 0.5);
}
