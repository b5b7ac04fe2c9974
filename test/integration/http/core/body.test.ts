import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { KiB } from '../../../../src/contract/bounds.js';
import { eventually } from '../../../support/eventually.js';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { get, openRaw, type RawConnection, timesMet } from '../../../support/raw-connection.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

const json = { 'content-type': 'application/json' };

interface Refusal {
  readonly code: string | number;
  readonly message: string;
  readonly issues?: readonly { path: string; message: string }[];
}

describe('a body', () => {
  let redis: RedisForData;
  let replica: Replica;

  before(async () => {
    redis = await openRedis();
    replica = await startReplica(redis.url);
  });
  after(async () => {
    await replica.close();
    await redis.stop();
  });

  async function ask(path: string, body: string, headers: Record<string, string> = json) {
    const response = await replica.post(path, { body, headers });
    const text = await response.text();
    const { error } = text.startsWith('{') ? (JSON.parse(text) as { error?: Refusal }) : {};
    return { status: response.status, error, length: text.length };
  }

  /** Asserts that `act` reaches the bound exactly once. */
  async function counts<T>(bound: string, act: () => Promise<T>): Promise<T> {
    const before = await timesMet(replica, bound);
    const outcome = await act();
    assert.equal(await timesMet(replica, bound), before + 1, bound);
    return outcome;
  }

  for (const [path, limit, bound, beginning] of [
    ['/api/stop', 16 * KiB, 'body', '{}'],
    ['/api/messages', 16 * KiB, 'body', '{"phone_number":"15551234567"}'],
    ['/api/send', 512 * KiB, 'longBody', '{"phone_number":"15551234567","message":"x"}'],
    ['/mcp', 512 * KiB, 'longBody', '{"jsonrpc":"2.0","id":1,"method":"ping"}'],
  ] as const) {
    it(`of POST ${path} has at most ${limit} bytes`, async () => {
      const before = await timesMet(replica, bound);
      const most = await ask(path, beginning.padEnd(limit));
      assert.ok([200, 409].includes(most.status), `${most.status}`);
      assert.equal(await timesMet(replica, bound), before);
      const { status, error } = await counts(bound, () => ask(path, beginning.padEnd(limit + 1)));
      assert.deepEqual([status, error?.code], [413, 'body_too_large']);
      assert.equal(error?.message, `a body may have at most ${limit} bytes here`);
    });
  }

  it('of the login has at most 4096 bytes', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
    assert.equal((await ask('/login', 'key='.padEnd(4_096, 'x'), form)).status, 401);
    const { status, error } = await counts('formBody', () => ask('/login', 'key='.padEnd(4_097, 'x'), form));
    assert.deepEqual([status, error?.message], [413, 'a body may have at most 4096 bytes here']);
  });

  it('of the forms of /qr has at most 4096 bytes, except with the answer of a passkey', async () => {
    const form = {
      ...{ 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      origin: replica.url,
    };
    const code = 'do=code&phone_number=';
    assert.equal((await ask('/qr-form', code.padEnd(4_096, 'x'), form)).status, 400);
    const long = await counts('formBody', () => ask('/qr-form', code.padEnd(4_097, 'x'), form));
    assert.deepEqual([long.status, long.error?.message], [413, 'a body may have at most 4096 bytes here']);
    const answer = 'do=passkey-answer&answer=';
    assert.equal((await ask('/qr-form', answer.padEnd(16 * KiB, 'x'), form)).status, 400);
    const { status, error } = await counts('body', () =>
      ask('/qr-form', answer.padEnd(16 * KiB + 1, 'x'), form),
    );
    assert.deepEqual([status, error?.message], [413, 'a body may have at most 16384 bytes here']);
  });

  it('may hold the longest message with each character escaped', async () => {
    const message = '\\u2028'.repeat(65_536);
    const body = `{"chat_id":"${'1'.repeat(32)}-${'2'.repeat(32)}@g.us","message":"${message}","link_preview":true,"mark_seen":true}`;
    const { status, error } = await ask('/api/send', body);
    assert.deepEqual([status, error?.code], [409, 'session_not_started']);
    const tool = { name: 'whatsapp_send_message' };
    const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${tool.name}","arguments":${body}}}`;
    assert.equal((await ask('/mcp', call)).status, 200);
  });

  it('of 1,001 values is refused before it is parsed', async () => {
    const withMembers = (count: number, beginning = '') =>
      `{${beginning}${Array.from({ length: count }, (_, i) => `"k${i}":1`).join()}}`;
    const known = await ask('/api/stop', withMembers(999));
    assert.match(known.error?.message ?? '', /^k0: unknown field; k1: .*; and 9\d\d more$/, 'the control');
    const { status, error } = await counts('jsonValues', () => ask('/api/stop', withMembers(1_000)));
    assert.deepEqual(
      [status, error?.code, error?.message],
      [400, 'invalid_request', 'the JSON of a body may have at most 1000 values'],
    );

    const meta = (count: number) =>
      `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":${withMembers(count)}}}`;
    assert.equal((await ask('/mcp', meta(994))).status, 200);
    const refused = await counts('jsonValues', () => ask('/mcp', meta(995)));
    assert.deepEqual(
      [refused.status, refused.error],
      [400, { code: -32_600, message: 'Invalid Request: the JSON of a body may have at most 1000 values' }],
    );
  });

  it('of seventeen levels is refused', async () => {
    const nested = (depth: number) => `${'{"a":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`;
    assert.equal((await ask('/api/stop', nested(16))).error?.message, 'a: unknown field');
    const { status, error } = await counts('jsonDepth', () => ask('/api/stop', nested(17)));
    assert.deepEqual([status, error?.message], [400, 'the JSON of a body may have at most 16 levels']);
  });

  it('with many problems gets a small answer', async () => {
    const fields = (count: number, length: number) =>
      JSON.stringify(
        Object.fromEntries(Array.from({ length: count }, (_, i) => [String(i).padEnd(length, 'k'), 1])),
      );
    const all = await ask('/api/stop', fields(20, 100));
    assert.equal(all.error?.issues?.length, 20);
    assert.equal(all.error?.issues?.[19]?.path.length, 100);

    const some = await counts('issues', () => ask('/api/stop', fields(400, 30)));
    assert.deepEqual(
      [some.error?.issues?.length, some.error?.issues?.[20]],
      [21, { path: '', message: 'and 380 more' }],
    );
    const long = await counts('issueText', () => ask('/api/stop', fields(1, 101)));
    assert.equal(long.error?.issues?.[0]?.path, `${'0'.padEnd(100, 'k')}…`);
    const both = await ask('/api/send', fields(900, 500));
    assert.ok(both.length < 6_000, `${both.length} characters`);
  });

  it('with unknown methods, tools or arguments gets a small answer from /mcp', async () => {
    const long = 'x'.repeat(500_000);
    const call = (method: string, params: object) =>
      ask('/mcp', JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }));
    for (const [method, params] of [
      ['tools/call', { name: long }],
      ['tools/call', { name: 'whatsapp_status', arguments: { [long]: 1 } }],
      ['tools/call', { name: Array(900).fill('x') }],
      ['tools/call', { name: 'whatsapp_status', arguments: Array(900).fill(1) }],
      ['tools/list', { cursor: Array(900).fill(1), _meta: { progressToken: { [long]: 1 } } }],
      [long, {}],
    ] as const) {
      const { length } = await call(method, params);
      assert.ok(length < 4_000, `${method.slice(0, 20)}: ${length} characters`);
    }
  });

  it('is no exception: a query with many problems gets a small answer too', async () => {
    const response = await replica.get(`/api/status?${'a&'.repeat(7_000)}`);
    const text = await response.text();
    const { error } = JSON.parse(text) as { error: Refusal };
    assert.deepEqual([response.status, error.issues?.length], [400, 21]);
    const long = 'k'.repeat(5_000);
    assert.ok((await (await replica.get(`/api/status?${long}&${long}`)).text()).length < 1_000);
  });

  it('is read while all bodies together are at most 32 MiB', async () => {
    const uploads: RawConnection[] = [];
    const piece = 'x'.repeat(500_000);
    const begin = async () => {
      // From ten addresses: one caller may not have so many.
      const upload = await openRaw(replica.port, `127.0.1.${uploads.length % 10}`);
      upload.socket.write(
        `POST /api/send HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${piece.length + 1}\r\n\r\n${piece}`,
      );
      uploads.push(upload);
    };
    try {
      // 67 of them are just below 32 MiB.
      for (let i = 0; i < 67; i++) await begin();
      await eventually(() => uploads.every(({ socket }) => socket.writableLength === 0));
      assert.deepEqual(
        uploads.flatMap(({ statuses }) => statuses),
        [],
      );
      await counts('bodiesAtOnce', async () => {
        await begin();
        await eventually(() => uploads.some(({ statuses }) => statuses[0] === 429));
      });
      const refused = uploads.filter(({ statuses }) => statuses.length > 0);
      assert.equal(refused.length, 1);
      assert.match(refused[0]?.text ?? '', /retry-after: 1\r\n.*"rate_limited".*33554432 bytes/s);
      for (const { socket } of uploads) socket.destroy();
      await eventually(async () => (await ask('/api/send', `{"message":"${piece}"}`)).status === 400);
    } finally {
      for (const { socket } of uploads) socket.destroy();
    }
  });

  it('is read while the bodies of its caller are at most 8 MiB', async () => {
    const piece = 'x'.repeat(500_000);
    const head = `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${piece.length + 1}\r\n\r\n`;
    const uploads: RawConnection[] = [];
    const begin = async () => {
      const upload = await openRaw(replica.port, '127.0.2.1');
      upload.socket.write(head + piece);
      uploads.push(upload);
    };
    const statuses = () => uploads.flatMap(({ statuses }) => statuses);
    try {
      for (let i = 0; i < 16; i++) await begin();
      await eventually(() => uploads.every(({ socket }) => socket.writableLength === 0));
      assert.deepEqual(statuses(), []);
      await counts('bodiesPerCaller', async () => {
        await begin();
        await eventually(() => statuses()[0] === 429);
      });
      assert.equal((await ask('/api/send', `{"message":"${piece}"}`)).status, 400, 'of another caller');
    } finally {
      for (const { socket } of uploads) socket.destroy();
    }
  });

  it('that arrives slowly is given up after thirty seconds', async () => {
    const before = await timesMet(replica, 'requestTime');
    const slow = await openRaw(replica.port);
    slow.socket.write('POST /api/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{');
    const dribble = setInterval(() => slow.socket.write(' '), 500);
    try {
      await slow.untilClosed();
    } finally {
      clearInterval(dribble);
    }
    assert.match(slow.text, /^HTTP\/1\.1 408 .*the request did not arrive within 30 s/s);
    assert.equal(await timesMet(replica, 'requestTime'), before + 1);
  });

  it('follows a header of at most 16 KiB', async () => {
    const before = await timesMet(replica, 'requestHeader');
    const most = await openRaw(replica.port);
    most.socket.write(get('/livez', `X: ${'x'.repeat(16_000)}`));
    await most.untilAnswers(1);
    assert.deepEqual([most.statuses, await timesMet(replica, 'requestHeader')], [[200], before]);
    most.socket.write(get('/livez', `X: ${'x'.repeat(16_384)}`));
    await most.untilClosed();
    assert.deepEqual([most.statuses, await timesMet(replica, 'requestHeader')], [[200, 431], before + 1]);
  });
});
