import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { type EventClient, listenToEvents } from '../../../support/event-client.js';
import { claimToWrite, type EventWriter } from '../../../support/event-writer.js';
import { eventually } from '../../../support/eventually.js';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { parseMetrics } from '../../../support/metrics.js';
import { type RedisServer, startRedis } from '../../../support/redis-server.js';

describe('many clients that missed a lot', () => {
  let server: RedisServer;
  let redis: Redis;
  let writer: EventWriter;
  let replica: Replica;
  const clients: EventClient[] = [];
  const count = 200;

  before(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    writer = await claimToWrite(redis);
    for (let n = 0; n < 3; n++) {
      await writer.messages(...Array.from({ length: 50 }, () => '€'.repeat(65_536)));
    }
    replica = await startReplica(server.url, {
      feedTuning: { pageWaitMs: 2_000 },
      environment: { WHATSAPP_TRUSTED_PROXIES: '127.0.0.1' },
    });
  });
  after(async () => {
    for (const client of clients) client.close();
    await replica.close();
    redis.disconnect();
    await server.stop();
  });

  async function reached(bound: string): Promise<number> {
    const page = await (await fetch(`${replica.url}/metrics`)).text();
    return parseMetrics(page).value('holdline_bound_reached_total', { bound }) ?? 0;
  }

  it('get their pages in turn: few are in memory at once, and a client that waits too long is closed', async () => {
    const peak = await peakWhile(async () => {
      const coming = Array.from({ length: count }, async (_, i) => {
        // From ten addresses: one caller may not have so many streams.
        const headers = { 'x-forwarded-for': `203.0.113.${i % 10}` };
        const client = await listenToEvents(replica.url, { lastEventId: '0-1', headers });
        // Reads nothing: what the replica sends waits here.
        client.pause();
        clients.push(client);
      });
      await Promise.all(coming);
      await eventually(async () => (await reached('catchUpWait')) >= 184);
    });
    assert.ok((await reached('catchUps')) > 0);
    assert.ok(peak < 10_485_760, `${peak} bytes of answers waited in Redis`);
  });

  /** Most memory that Redis held for unread replies during `work`. */
  async function peakWhile(work: () => Promise<void>): Promise<number> {
    let peak = 0;
    let isOver = false;
    const looking = (async () => {
      while (!isOver) {
        const info = await redis.info('memory');
        peak = Math.max(peak, Number(/^mem_clients_normal:(\d+)/m.exec(info)?.[1]));
      }
    })();
    await work();
    isOver = true;
    await looking;
    return peak;
  }
});
