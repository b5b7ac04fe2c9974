import type { OutputOf } from '../../src/contract/operations.js';
import type { Product } from '../support/product.js';
import { Stage } from '../support/stage.js';
import { benchEnvironment } from './cluster.js';
import type { Figure } from './figures.js';
import { alternating } from './http-reads.js';
import { median } from './report.js';

const calls = 40;
const small = { chats: 50 };
const large = { chats: 5_000, groups: 300 };

/** Compares the chat list of an account with many chats and groups with that of one with few, for the same limit. */
export async function chatList(rounds: number): Promise<Figure[]> {
  const accounts = [await open(small), await open(large)] as const;
  try {
    const ms = await alternating(['few', 'many'] as const, rounds, (name) =>
      timeOf(accounts[name === 'few' ? 0 : 1].product, 20),
    );
    const hundred = await timeOf(accounts[1].product, 100);
    return [
      {
        name: '/api/chats?limit=20 of 5,000 chats and 300 groups',
        ours: `${median(ms.many).toFixed(1)} ms`,
        against: `${median(ms.few).toFixed(1)} ms (of 50 chats)`,
        ratio: median(ms.many) / median(ms.few),
        aim: { atMost: 1.2 },
      },
      {
        name: '/api/chats?limit=100 of 5,000 chats and 300 groups',
        ours: `${hundred.toFixed(1)} ms, ${Math.round(100_000 / hundred)} chats/s`,
        against: 'one call after another',
        ratio: null,
        aim: null,
      },
    ];
  } finally {
    for (const { stage } of accounts) await stage.close();
  }
}

async function open(account: Parameters<Stage['whatsApp']['phone']['fill']>[0]) {
  const stage = await Stage.open();
  await stage.whatsApp.phone.fill(account);
  const product = stage.start('all', benchEnvironment);
  await product.post('/api/auth/start');
  await stage.whatsApp.phone.scanCurrent();
  await product.loginSettled();
  return { stage, product };
}

/** Median duration of sequential calls, ms. */
async function timeOf(product: Product, limit: number): Promise<number> {
  const url = new URL(`/api/chats?limit=${limit}`, await product.url());
  const times: number[] = [];
  for (let i = 0; i < calls; i++) {
    const askedAt = performance.now();
    const answer = await fetch(url);
    const { count } = (await answer.json()) as OutputOf<'chats'>;
    if (count !== limit) throw new Error(`${answer.status}: ${count} chats`);
    times.push(performance.now() - askedAt);
  }
  return median(times);
}
