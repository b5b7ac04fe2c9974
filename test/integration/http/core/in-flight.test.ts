import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type EventClient, listenToEvents } from '../../../support/event-client.js';
import { eventually } from '../../../support/eventually.js';
import { type HeldSession, holdSession } from '../../../support/held-session.js';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { type KeyedReplica, makeKeys, startKeyedReplica } from '../../../support/keyed-replica.js';
import { get, openRaw, post, type RawConnection, timesMet } from '../../../support/raw-connection.js';
import { type RedisServer, startRedis } from '../../../support/redis-server.js';

/** The open requests of one caller. Other callers of the replica must not notice them. */
describe('the open requests', () => {
  const keys = makeKeys();
  const environment = { WHATSAPP_TRUSTED_PROXIES: '127.0.0.1' };
  const bearer = (key: string) => `Authorization: Bearer ${key}`;
  let redis: RedisServer;
  let open: Replica;
  let keyed: KeyedReplica;
  let session: HeldSession;

  before(async () => {
    redis = await startRedis();
    open = await startReplica(redis.url, { environment });
    keyed = await startKeyedReplica(redis.url, keys, { environment });
    session = await holdSession(redis.url, open, 60_000);
  });
  after(async () => {
    await session.close();
    await Promise.all([open.close(), keyed.close()]);
    await redis.stop();
  });

  /** Opens as many waiting requests as one caller may have. */
  async function park(port: number, caller: string): Promise<RawConnection[]> {
    const parked: RawConnection[] = [];
    for (let i = 0; i < 256; i++) {
      const connection = await openRaw(port);
      connection.socket.write(get('/api/chats', 'Prefer: wait=120', caller));
      parked.push(connection);
    }
    await eventually(() => parked.every(({ socket }) => socket.writableLength === 0));
    return parked;
  }

  async function answerTo(port: number, request: string): Promise<RawConnection> {
    const connection = await openRaw(port);
    connection.socket.write(request);
    await connection.untilAnswers(1);
    connection.socket.destroy();
    return connection;
  }

  for (const [title, replica, self, other] of [
    ['a key', () => keyed, bearer(keys.key.read), bearer(keys.key.send)],
    ['an address without a key', () => open, 'X-Forwarded-For: 203.0.113.1', 'X-Forwarded-For: 203.0.113.2'],
  ] as const) {
    it(`of ${title} are at most 256, waits included`, async () => {
      const { port } = replica();
      const asAdmin = { authorization: `Bearer ${keys.key.admin}` };
      // Without configured keys this one is not known.
      const met = () => timesMet(replica(), 'requestsUnderWay', replica() === keyed ? asAdmin : {});
      const before = await met();
      const parked = await park(port, self);
      try {
        let answer = '';
        await eventually(async () => {
          answer = (await answerTo(port, get('/api/status', self))).text;
          return answer.startsWith('HTTP/1.1 429 ');
        });
        assert.match(answer, /retry-after: 1\r\n.*"rate_limited".*256 requests under way/s);
        assert.ok((await met()) > before);
        assert.deepEqual(
          parked.flatMap(({ statuses }) => statuses),
          [],
          'the earlier ones still wait',
        );
        assert.deepEqual((await answerTo(port, get('/api/status', other))).statuses, [200]);
        assert.deepEqual(
          (await answerTo(port, get('/livez', self))).statuses,
          [200],
          'probes are always answered',
        );
        const tool = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
        assert.deepEqual((await answerTo(port, post('/mcp', JSON.stringify(tool), self))).statuses, [429]);

        parked.pop()?.socket.destroy();
        await eventually(async () => (await answerTo(port, get('/api/status', self))).statuses[0] === 200);
      } finally {
        for (const { socket } of parked) socket.destroy();
      }
      await eventually(async () => (await answerTo(port, get('/api/status', self))).statuses[0] === 200);
    });
  }

  it('do not include requests whose client left before it was authenticated', async () => {
    const cookie = `Cookie: ${await keyed.cookieOf(keys.key.admin)}`;
    const aborted = () => keyed.logLines.filter(({ isAborted }) => isAborted === true).length;
    const before = aborted();
    redis.signal('SIGSTOP');
    try {
      const leaving = await Promise.all(Array.from({ length: 300 }, () => openRaw(keyed.port)));
      for (const { socket } of leaving) socket.write(get('/api/status', cookie));
      await eventually(() => leaving.every(({ socket }) => socket.writableLength === 0));
      // The answer to a later request shows that they were read.
      await answerTo(keyed.port, get('/livez'));
      for (const { socket } of leaving) socket.destroy();
      await eventually(() => aborted() === before + 300);
    } finally {
      redis.signal('SIGCONT');
    }
    await eventually(async () => (await keyed.get('/readyz')).ok);
    assert.deepEqual((await answerTo(keyed.port, get('/api/status', cookie))).statuses, [200]);
  });

  it('of one caller include at most 100 event streams', async () => {
    const streams: EventClient[] = [];
    const listen = async (key: string) => {
      const client = await listenToEvents(keyed.url, { headers: { authorization: `Bearer ${key}` } });
      streams.push(client);
      return client.status;
    };
    const admin = { authorization: `Bearer ${keys.key.admin}` };
    const before = await timesMet(keyed, 'streamsPerCaller', admin);
    try {
      const mine = await Promise.all(Array.from({ length: 100 }, () => listen(keys.key.read)));
      assert.deepEqual(new Set(mine), new Set([200]));
      assert.equal(await timesMet(keyed, 'streamsPerCaller', admin), before);
      assert.equal(await listen(keys.key.read), 429);
      await streams.at(-1)?.untilEnd();
      assert.match(streams.at(-1)?.text ?? '', /"rate_limited".*100 event streams/);
      assert.equal(await timesMet(keyed, 'streamsPerCaller', admin), before + 1);
      assert.equal(await listen(keys.key.send), 200, 'another key has its own streams');
      streams[0]?.close();
      await eventually(async () => (await listen(keys.key.read)) === 200);
    } finally {
      for (const stream of streams) stream.close();
    }
  });
});
