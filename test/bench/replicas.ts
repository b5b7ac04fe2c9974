import { startRedis } from '../support/redis-server.js';
import { startOwner } from '../support/scripted-owner.js';
import type { Stage } from '../support/stage.js';
import type { Figure } from './figures.js';
import { load } from './load.js';
import { median } from './report.js';

/** The rate of 1, 2 and 4 replicas on one Redis, all loaded at the same time. */
export async function replicas(stage: Stage, rounds: number): Promise<Figure[]> {
  const redis = await startRedis();
  const owner = await startOwner(redis.url, async (run) => {
    await run.publish('qr', { qrText: 'a code' });
    await run.end('stopped', { intent: await run.intent });
  });
  const products = Array.from({ length: 4 }, () => stage.start('http', { REDIS_URL: redis.url }));
  try {
    const urls = await Promise.all(products.map((product) => product.url()));
    await products[0]?.post('/api/auth/start');
    const rates = new Map<number, number[]>([1, 2, 4].map((count) => [count, []]));
    for (let round = 0; round < rounds; round++) {
      for (const [count, measured] of rates) {
        const loads = urls
          .slice(0, count)
          .map((url) => load(`${url}/api/status`, { connections: 64 / count, seconds: 2 }));
        measured.push((await Promise.all(loads)).reduce((sum, { requestsPerS }) => sum + requestsPerS, 0));
      }
    }
    await products[0]?.post('/api/stop');
    const one = median(rates.get(1) ?? []);
    return [2, 4].map((count) => ({
      name: `/api/status, requests/s of ${count} replicas`,
      ours: Math.round(median(rates.get(count) ?? [])).toString(),
      against: `${Math.round(one)} (one replica)`,
      ratio: median(rates.get(count) ?? []) / one,
      aim: null,
    }));
  } finally {
    await Promise.all(products.map((product) => product.end('SIGTERM')));
    await owner.close();
    await redis.stop();
  }
}
