import { Redis } from 'ioredis';
import { sessionKeys } from '../../src/contract/keys.js';
import { defaultSession } from '../../src/contract/names.js';
import type { Product } from '../support/product.js';
import { startRedis } from '../support/redis-server.js';
import { startOwner } from '../support/scripted-owner.js';
import type { Stage } from '../support/stage.js';
import type { Figure } from './figures.js';
import { load } from './load.js';
import { type Peer, startPeer } from './peer.js';
import { median } from './report.js';

/** Compares reads of one replica at 64 connections with the same bytes from memory and with other designs. */
const paths = ['/api/status', '/qr'] as const;

const qrText = `2@${'x'.repeat(64)},${'n'.repeat(44)},${'i'.repeat(44)},${'a'.repeat(44)},1`;

export async function httpReads(stage: Stage, rounds: number, chromium: string): Promise<Figure[]> {
  const redis = await startRedis();
  const product = stage.start('http', { REDIS_URL: redis.url });
  const owner = await startOwner(redis.url, async (run) => {
    await run.publish('qr', { qrText });
    await run.end('stopped', { intent: await run.intent });
  });
  const peers: Peer[] = [];
  try {
    await product.post('/api/auth/start');
    const answers = Object.fromEntries(await Promise.all(paths.map((path) => answerOf(product, path))));
    const [status = '', page = ''] = paths.map((path) => answers[path]?.body);
    const { before, image, after } = partsOf(page);
    const client = new Redis(redis.url);
    await client.hset('{bench}:session', { status, before, image, after });
    const start = async (...args: Parameters<typeof startPeer>) => {
      const peer = await startPeer(...args);
      peers.push(peer);
      return peer.url;
    };
    const servers = {
      ours: await product.url(),
      bare: await start('bare-polka', JSON.stringify(answers)),
      hash: await start('hash-per-request', redis.url, '{bench}:session'),
      single: await start('one-process', JSON.stringify({ status, qrText, before, after })),
      asking: await start('ask-the-page', chromium, status),
    };
    const figures = [
      ...(await throughput(servers, rounds)),
      ...(await atHalfRate(servers, rounds)),
      ...(await growth(servers.ours, client, rounds)),
    ];
    client.disconnect();
    await product.post('/api/stop');
    return figures;
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()));
    await product.end('SIGTERM');
    await owner.close();
    await redis.stop();
  }
}

type Servers = Record<'ours' | 'bare' | 'hash' | 'single' | 'asking', string>;

async function throughput(servers: Servers, rounds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const path of paths) {
    // The page is not asked for its QR: in that design too, the process keeps the code.
    const names = (Object.keys(servers) as (keyof Servers)[]).filter(
      (name) => name !== 'asking' || path === '/api/status',
    );
    // Warm up: the first run is not measured.
    for (const name of names) await load(servers[name] + path);
    const perS = await alternating(
      names,
      rounds,
      async (name) => (await load(servers[name] + path)).requestsPerS,
    );
    const aims = { bare: path === '/qr' ? 0.8 : 0.85, hash: 1.8, single: null, asking: null };
    const titles = {
      bare: 'bare Polka, the same bytes from memory',
      hash: 'HGETALL per request',
      single: 'one process, QR encoded per request',
      asking: 'the page asked per request',
    };
    for (const name of names) {
      if (name === 'ours') continue;
      const aim = aims[name];
      figures.push({
        name: `${path}, requests/s`,
        ours: Math.round(median(perS.ours ?? [])).toString(),
        against: `${Math.round(median(perS[name] ?? []))} (${titles[name]})`,
        ratio: median((perS.ours ?? []).map((ours, round) => ours / (perS[name]?.[round] ?? Number.NaN))),
        aim: aim === null ? null : { atLeast: aim },
      });
    }
  }
  return figures;
}

/** Latency of both at half of our greatest rate. */
async function atHalfRate(servers: Servers, rounds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const path of paths) {
    const half = (await load(servers.ours + path)).requestsPerS / 2;
    const p99 = await alternating(
      ['ours', 'bare'] as const,
      rounds,
      async (name) => (await load(servers[name] + path, { perS: half, seconds: 3 })).p99Ms,
    );
    const [ours, bare] = [median(p99.ours), median(p99.bare)];
    figures.push({
      name: `${path}, p99 at ${Math.round(half)} requests/s`,
      ours: `${ours} ms`,
      against: `${bare} ms (bare Polka)`,
      ratio: ours / bare,
      aim: { atMost: 2 },
    });
  }
  return figures;
}

/** The cost of a poll must not depend on the amount of stored data. */
async function growth(url: string, redis: Redis, rounds: number): Promise<Figure[]> {
  const measure = async () => {
    const rates: number[] = [];
    for (let round = 0; round < rounds; round++) rates.push((await load(`${url}/api/status`)).requestsPerS);
    return median(rates);
  };
  await fill(redis, 100);
  const before = await measure();
  await fill(redis, 10_000);
  const after = await measure();
  return [
    {
      name: '/api/status, cost of a poll with 100 times the events and jobs',
      ours: `${Math.round(after)} requests/s`,
      against: `${Math.round(before)} requests/s before`,
      ratio: before / after,
      aim: { atMost: 1.1 },
    },
  ];
}

async function fill(redis: Redis, count: number): Promise<void> {
  const { events } = sessionKeys(defaultSession);
  const pipeline = redis.pipeline();
  for (let i = 0; i < count; i++) {
    pipeline.xadd(events, '*', 'type', 'state', 'event', JSON.stringify({ type: 'state', i }));
    pipeline.hset(
      `{wa}:sends-${defaultSession}:filler-${i}`,
      'data',
      JSON.stringify({ message: 'x'.repeat(100) }),
    );
    pipeline.rpush(`{wa}:sends-${defaultSession}:wait`, `filler-${i}`);
  }
  await pipeline.exec();
}

/** The answer of the product, without the headers that the HTTP library adds to each answer. */
async function answerOf(product: Product, path: string) {
  const answer = await product.get(path);
  const own = [...answer.headers].filter(([name]) => !['date', 'connection', 'keep-alive'].includes(name));
  return [path, { headers: own.flat(), body: await answer.text() }] as const;
}

function partsOf(page: string): { before: string; image: string; after: string } {
  const [, before = '', image = '', after = ''] =
    /^(.*)data:image\/png;base64,([^"]*)(.*)$/s.exec(page.slice(page.indexOf('<!doctype'))) ?? [];
  return { before, image, after };
}

/** One value for each round and server. The order alternates with each round, so that drift favours none. */
export async function alternating<Name extends string>(
  names: readonly Name[],
  rounds: number,
  measure: (name: Name) => Promise<number>,
): Promise<Record<Name, number[]>> {
  const values = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? names : [...names].reverse();
    for (const name of order) values[name].push(await measure(name));
  }
  return values;
}
