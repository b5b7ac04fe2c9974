import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { sendRaw } from '../../../support/http-raw.js';
import { type KeyedReplica, makeKeys, startKeyedReplica } from '../../../support/keyed-replica.js';
import { type RedisServer, startRedis } from '../../../support/redis-server.js';

/** The server closes the connection after each of these requests. */
const sendUntilClosed = (port: number, bytes: string) => sendRaw(port, bytes, { untilClosed: true });

describe('an attack on authentication', () => {
  const keys = makeKeys();
  const { key } = keys;
  let server: RedisServer;
  let redis: Redis;
  let replica: KeyedReplica;
  let cookie: string;

  before(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    replica = await startKeyedReplica(server.url, keys);
    cookie = await replica.cookieOf(key.admin);
  });
  after(async () => {
    await replica.close();
    redis.disconnect();
    await server.stop();
  });

  const status = async (headers: Record<string, string>, path = '/api/status', method = 'GET') =>
    (await replica.get(path, { headers, method, redirect: 'manual' })).status;

  it('fails with the right key in the wrong place', async () => {
    const encoded = Buffer.from(`admin:${key.admin}`).toString('base64');
    const digest = keys.environment.WHATSAPP_API_KEYS?.split(':').at(-1) ?? '';
    for (const [headers, path] of [
      [{ authorization: `Basic ${encoded}` }, '/api/status'],
      [{ authorization: key.admin }, '/api/status'],
      [{ authorization: `Token ${key.admin}` }, '/api/status'],
      [{ 'api-key': key.admin }, '/api/status'],
      [{ cookie: `holdline_session=${key.admin}` }, '/api/status'],
      [{ cookie: cookie.replace('holdline_session', 'holdline_qr') }, '/qr.png'],
      [{ authorization: `Bearer ${cookie.split('=')[1]}` }, '/api/status'],
      [{ authorization: `Bearer ${digest}` }, '/api/status'],
      [{}, `/api/status?key=${key.admin}&api_key=${key.admin}&access_token=${key.admin}`],
    ] as [Record<string, string>, string][]) {
      assert.equal(await status(headers, path), 401, JSON.stringify(Object.keys(headers)));
    }
    assert.equal(await status({ authorization: `bearer  ${key.admin}` }), 200, 'the control');
  });

  it('fails with a key that is almost right', async () => {
    for (const wrong of [key.admin.slice(0, -1), `${key.admin}x`, key.admin.toUpperCase(), '', 'null']) {
      assert.equal(await status({ 'x-api-key': wrong }), 401, wrong.length.toString());
    }
  });

  it('fails with two keys of which one is right', async () => {
    assert.equal(await status({ authorization: `Bearer ${key.read}`, 'x-api-key': key.admin }), 401);
    const twice = [`X-API-Key: ${key.admin}`, 'X-API-Key: holdline_wrong'];
    for (const lines of [twice, [...twice].reverse()]) {
      const head = ['GET /api/status HTTP/1.1', 'Host: localhost', 'Connection: close', ...lines].join(
        '\r\n',
      );
      assert.equal((await sendUntilClosed(replica.port, `${head}\r\n\r\n`))[0]?.status, 401);
    }
    assert.equal(await status({ authorization: `Bearer ${key.read}`, 'x-api-key': key.read }), 200);
  });

  it('fails with a wrong key beside a valid login', async () => {
    assert.equal(await status({ cookie, 'x-api-key': 'holdline_wrong' }), 401);
    assert.equal(await status({ cookie: 'holdline_session=x' }), 401, 'the control');
    assert.equal(await status({ cookie: `x=1; ${cookie}; y=2` }), 200, 'the control');
  });

  it('by DNS rebinding is refused before any key is checked', async () => {
    for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example:80']) {
      const request = `GET /api/status HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nX-API-Key: ${key.admin}\r\n\r\n`;
      assert.equal((await sendUntilClosed(replica.port, request))[0]?.status, 403, host);
    }
  });

  for (const [title, headers] of Object.entries({
    'another site': { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    'another port of this host': { origin: 'http://127.0.0.1:1', 'sec-fetch-site': 'same-site' },
    'a page without an origin': { origin: 'null', 'sec-fetch-site': 'cross-site' },
    'a browser that hides the origin': { 'sec-fetch-site': 'same-site' },
    'a client that names no origin': {},
  })) {
    it(`cannot use the cookie to change anything from ${title}`, async () => {
      for (const path of ['/api/auth/start', '/api/logout', '/api/qr-links', '/signout', '/mcp']) {
        for (const type of ['text/plain', 'application/json', 'application/x-www-form-urlencoded']) {
          const all = { cookie, 'content-type': type, ...headers } as Record<string, string>;
          const response = await replica.post(path, { headers: all, body: '{}', redirect: 'manual' });
          assert.equal(response.status, 403, path);
          assert.match(await response.text(), /"origin_not_allowed"/);
        }
      }
      assert.equal(await redis.exists('{wa}:sessions:s-default'), 0, 'nothing was started');
      assert.equal(await status({ cookie }), 200, 'still logged in');
    });
  }

  it('is none when our own page uses the cookie: the control', async () => {
    const own = { cookie, origin: replica.url, 'sec-fetch-site': 'same-origin' };
    assert.equal(await status({ ...own, prefer: 'wait=0' }, '/api/stop', 'POST'), 200);
  });

  it('cannot read with the cookie by embedding; a link may', async () => {
    // Written by hand: fetch would add its own Sec-Fetch headers.
    const from = async (site: string, mode: string, dest: string) => {
      const how = [`Sec-Fetch-Site: ${site}`, `Sec-Fetch-Mode: ${mode}`, `Sec-Fetch-Dest: ${dest}`];
      const own = ['GET /qr HTTP/1.1', 'Host: localhost', 'Connection: close', `Cookie: ${cookie}`];
      const head = [...own, ...how].join('\r\n');
      return (await sendUntilClosed(replica.port, `${head}\r\n\r\n`))[0]?.status;
    };
    assert.equal(await from('same-site', 'no-cors', 'image'), 401);
    assert.equal(await from('cross-site', 'no-cors', 'script'), 401);
    assert.equal(await from('same-site', 'navigate', 'iframe'), 401);
    assert.equal(await from('same-site', 'navigate', 'document'), 200);
    assert.equal(await from('same-origin', 'cors', 'empty'), 200);
    const { headers } = await replica.get('/api/status', { headers: { cookie } });
    assert.equal(headers.get('access-control-allow-origin'), null);
    assert.equal(headers.get('access-control-allow-credentials'), null);
    assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin');
  });

  for (const path of [
    ...['//livez/../api/status', '/livez/../api/status', '/livez%2f..%2fapi/status', '/./api/status'],
    ...['/api/status/', '/API/STATUS', '/livez;/api/status', '/login/../qr', '/link/../qr.png', '/qr%00'],
    ...['/link/%2e%2e', '/link/x/../../qr', '/docs/../../.env', '/docs/..%2fpackage.json', '/api/jobs/..%2f'],
  ]) {
    it(`finds nothing at ${path}`, async () => {
      const request = (line: string) =>
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${line}\r\n`;
      const [stranger] = await sendUntilClosed(replica.port, request(''));
      assert.ok([401, 404].includes(stranger?.status ?? 0), `${stranger?.status}`);
      const [admin] = await sendUntilClosed(replica.port, request(`X-API-Key: ${key.admin}\r\n`));
      assert.equal(admin?.status, 404);
    });
  }

  for (const [title, head] of Object.entries({
    'two lengths': 'Content-Length: 2\r\nContent-Length: 40',
    'a length and chunks': 'Content-Length: 2\r\nTransfer-Encoding: chunked',
    'a transfer encoding in disguise': 'Transfer-Encoding: xchunked',
    'chunked twice over': 'Transfer-Encoding: chunked, identity',
    'a folded header': 'X-A: 1\r\n folded: 2',
    'a space before the colon': 'Content-Length : 40',
    'a bare line feed': 'X-A: 1\nX-API-Key: 1',
  })) {
    it(`cannot smuggle a request behind ${title}`, async () => {
      const hidden = `GET /api/status HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${key.admin}\r\n\r\n`;
      const outer = `POST /api/stop HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${key.admin}\r\n${head}\r\n\r\n`;
      const answers = await sendUntilClosed(replica.port, `${outer}0\r\n\r\n${hidden}`);
      assert.equal(answers.length, 1, JSON.stringify(answers));
      assert.equal(answers[0]?.status, 400);
      assert.equal(answers[0]?.headers.connection, 'close');
    });
  }

  it('with 10 MB of headers is cut off early, and other clients are still served', async () => {
    const socket = connect(replica.port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write('GET /api/status HTTP/1.1\r\nHost: localhost\r\n');
    const line = `X-Filler: ${'x'.repeat(8_000)}\r\n`;
    let sent = 0;
    while (sent < 10_000_000 && !socket.destroyed) {
      sent += line.length;
      if (!socket.write(line)) await Promise.race([once(socket, 'drain').catch(() => undefined), closed]);
    }
    await closed;
    // A client that keeps writing may see the reset before the answer.
    assert.match(answer, /^(HTTP\/1\.1 431 |$)/);
    assert.ok(sent < 10_000_000, `${sent} bytes were taken`);
    assert.equal(await status({ 'x-api-key': key.read }), 200);
  });

  it('by a hundred clients that send headers slowly ends within 28 s, and other clients do not wait', async () => {
    const slow = Array.from({ length: 100 }, () => connect(replica.port, '127.0.0.1'));
    const ends = slow.map((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => undefined);
      socket.write('GET /api/status HTTP/1.1\r\nHost: localhost\r\n');
      return new Promise((resolve) => socket.once('close', resolve));
    });
    const dribble = setInterval(() => {
      for (const socket of slow) if (socket.writable) socket.write('X');
    }, 500);
    const startedAt = performance.now();
    try {
      assert.equal(await status({ 'x-api-key': key.read }), 200);
      assert.ok(performance.now() - startedAt < 8_000, 'not at the end of their ten seconds');
      await Promise.all(ends);
      assert.ok(performance.now() - startedAt < 28_000, 'not at the end of a request’s thirty seconds');
    } finally {
      clearInterval(dribble);
      for (const socket of slow) socket.destroy();
    }
  });

  it('costs Redis one more command with a cookie, and none with a key', async () => {
    const commands = async (headers: Record<string, string>) => {
      const count = async () =>
        Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))?.[1] ?? 0);
      const before = await count();
      for (let i = 0; i < 20; i++) assert.equal(await status(headers), 200);
      return Math.round(((await count()) - before - 1) / 20);
    };
    assert.equal(await commands({ 'x-api-key': key.read }), 1);
    assert.equal(await commands({ cookie }), 2);
  });

  it('on Redis finds no key, cookie or link', async () => {
    const link = await replica.qrLink();
    const dump: string[] = [];
    for (const name of await redis.keys('*')) {
      if ((await redis.type(name)) === 'string') dump.push(name, (await redis.get(name)) ?? '');
    }
    const text = dump.join('\n');
    assert.match(text, /\{wa\}:login:[0-9a-f]{64}/);
    assert.match(text, /\{wa\}:qr-link:[0-9a-f]{64}/);
    for (const secret of [...Object.values(key), cookie.split('=')[1] ?? '', link.split('/')[2] ?? '']) {
      assert.ok(secret.length > 40 && !text.includes(secret));
    }
  });
});
