import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { Connections } from '../../../../src/http/connections/connections.js';
import { createHttpServer, serve, stopServing } from '../../../../src/http/connections/node-server.js';
import { createAddresses } from '../../../../src/http/core/client-ip.js';
import { loadConfig } from '../../../../src/platform/config/config.js';
import { listen } from '../../../../src/platform/listen.js';
import { eventually } from '../../../support/eventually.js';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { parseMetrics } from '../../../support/metrics.js';
import { get, openRaw, type RawConnection, timesMet } from '../../../support/raw-connection.js';
import { type RedisServer, startRedis } from '../../../support/redis-server.js';

describe('the connections to a replica', () => {
  let redis: RedisServer;
  let replica: Replica;

  before(async () => {
    redis = await startRedis();
    replica = await startReplica(redis.url, { environment: { WHATSAPP_TRUSTED_PROXIES: '127.0.0.3' } });
  });
  after(async () => {
    await replica.close();
    await redis.stop();
  });

  const answered = async (route: string) => {
    const page = parseMetrics(await (await replica.get('/metrics')).text());
    return page.value('holdline_http_requests_total', { method: 'GET', route, status: '200' }) ?? 0;
  };

  it('may send sixteen requests before the first answer, and are answered in order', async () => {
    const connection = await openRaw(replica.port);
    const asked = Array.from({ length: 16 }, (_, i) => get('/api/status', `X-Request-Id: ${i}`));
    connection.socket.write(asked.join(''));
    await connection.untilAnswers(16);
    const ids = [...connection.text.matchAll(/x-request-id: (\d+)/g)].map(([, id]) => Number(id));
    assert.deepEqual(
      ids,
      asked.map((_, i) => i),
    );
    connection.socket.write(asked.join(''));
    await connection.untilAnswers(32);
    assert.equal(connection.isClosed, false);
    connection.socket.destroy();
  });

  it('close at the seventeenth, after the answer in progress', async () => {
    const before = await timesMet(replica, 'unanswered');
    const connection = await openRaw(replica.port);
    connection.socket.write(get('/api/status').repeat(17));
    await connection.untilClosed();
    assert.deepEqual(connection.statuses, [200]);
    assert.match(connection.text, /^connection: close/im);
    assert.equal(await timesMet(replica, 'unanswered'), before + 1);
  });

  it('get one answer each when they pipeline 1,600 requests', async () => {
    const before = await answered('/livez');
    const connections = await Promise.all(Array.from({ length: 40 }, () => openRaw(replica.port)));
    for (const { socket } of connections) socket.write(get('/livez').repeat(1_600));
    await Promise.all(connections.map((connection) => connection.untilClosed()));
    assert.equal((await answered('/livez')) - before, 40);
  });

  it('of one address are at most a thousand: one more replaces the one that was idle longest', async () => {
    const owner = await openRaw(replica.port);
    owner.socket.write(get('/livez'));
    await owner.untilAnswers(1);
    const before = await timesMet(replica, 'connectionsPerAddress');
    const crowd: RawConnection[] = [];
    const crowdIs = (count: number) =>
      eventually(() => crowd.filter(({ isClosed }) => !isClosed).length === count);
    try {
      const [busy, ...idle] = await openMany(1_000, '127.0.0.2', crowd);
      busy?.socket.write(get('/api/events'));
      await busy?.untilAnswers(1);
      idle[0]?.socket.write('GET /half-open HTTP/1.1\r\n');
      await crowdIs(1_000);
      assert.equal(await timesMet(replica, 'connectionsPerAddress'), before, 'the control');

      const [newest] = await openMany(1, '127.0.0.2', crowd);
      newest?.socket.write(get('/livez'));
      await newest?.untilAnswers(1);
      await idle[0]?.untilClosed();
      await crowdIs(1_000);
      assert.equal(busy?.isClosed, false, 'a connection with an open answer is not idle');
      assert.equal(await timesMet(replica, 'connectionsPerAddress'), before + 1);
      owner.socket.write(get('/livez'));
      await owner.untilAnswers(2);
    } finally {
      for (const { socket } of [...crowd, owner]) socket.destroy();
    }
  });

  it('of a trusted proxy are not counted', async () => {
    const before = await timesMet(replica, 'connectionsPerAddress');
    const crowd: RawConnection[] = [];
    try {
      const [first] = await openMany(1_001, '127.0.0.3', crowd);
      first?.socket.write(get('/livez'));
      await first?.untilAnswers(1);
      assert.equal(await timesMet(replica, 'connectionsPerAddress'), before);
    } finally {
      for (const { socket } of crowd) socket.destroy();
    }
  });

  async function openMany(count: number, from: string, into: RawConnection[]): Promise<RawConnection[]> {
    const opened: RawConnection[] = [];
    // One after another, so that the oldest is known.
    for (let i = 0; i < count; i++) opened.push(await openRaw(replica.port, from));
    into.push(...opened);
    return opened;
  }

  it('close after ten seconds without a complete header', async () => {
    const before = await timesMet(replica, 'headerTime');
    const [silent, half] = [await openRaw(replica.port), await openRaw(replica.port)];
    half.socket.write('GET /livez HTTP/1.1\r\n');
    await Promise.all([silent.untilClosed(), half.untilClosed()]);
    for (const { text } of [silent, half])
      assert.match(text, /^HTTP\/1\.1 408 .*did not arrive within 10 s/s);
    assert.equal(await timesMet(replica, 'headerTime'), before + 2);
  });
});

describe('a server whose client does not read', () => {
  const config = loadConfig('http', { REDIS_URL: 'redis://127.0.0.1', WHATSAPP_MCP_PORT: '0' });
  const big = Buffer.alloc(16 * 1024 * 1024, 'x');

  /** How many requests its parser made, and how many it began to answer. */
  async function startBare() {
    const begun: string[] = [];
    let made = 0;
    const onBound = () => undefined;
    const connections = new Connections({
      addresses: createAddresses([]),
      handle: (request, response) => {
        begun.push(request.url ?? '');
        response.on('close', () => connections.onResponseClosed(request.socket));
        response.writeHead(200, { 'content-length': big.length });
        response.end(big);
      },
      onBound,
    });
    const server = createHttpServer();
    serve(server, connections, onBound);
    server.on('request', () => made++);
    await listen(server, config);
    const { port } = server.address() as { port: number };
    return { port, begun, made: () => made, close: () => stopServing(server) };
  }

  it('starts no second answer before the first is read, and then sends all', async () => {
    const server = await startBare();
    try {
      const connection = await openRaw(server.port);
      connection.socket.pause();
      connection.socket.write(get('/1') + get('/2') + get('/3'));
      await eventually(() => server.made() === 3);
      assert.deepEqual(server.begun, ['/1']);
      connection.socket.resume();
      await eventually(() => connection.socket.bytesRead > 3 * big.length);
      assert.deepEqual(server.begun, ['/1', '/2', '/3']);
      connection.socket.destroy();
    } finally {
      await server.close();
    }
  });

  it('parses no more pipelined requests than it may answer', async () => {
    const server = await startBare();
    try {
      const connection = await openRaw(server.port);
      connection.socket.pause();
      connection.socket.write(get('/').repeat(1_600));
      await eventually(() => server.made() > 0);
      const other = await openRaw(server.port);
      other.socket.write(get('/other'));
      await eventually(() => server.begun.includes('/other'));
      assert.equal(server.made(), 17, 'sixteen, and one of the other connection');
      connection.socket.destroy();
      other.socket.destroy();
    } finally {
      await server.close();
    }
  });

  it('would parse all of them without the bound: the control', async () => {
    const server = createServer(() => undefined).listen(0, '127.0.0.1');
    let made = 0;
    server.on('request', () => made++);
    await once(server, 'listening');
    const connection = await openRaw((server.address() as { port: number }).port);
    connection.socket.write(get('/').repeat(1_600));
    await eventually(() => made === 1_600);
    connection.socket.destroy();
    server.close();
  });
});
