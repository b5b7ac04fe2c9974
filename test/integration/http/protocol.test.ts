import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { OperatorError } from '../../../src/contract/errors.js';
import { eventually } from '../../support/eventually.js';
import { sendRaw } from '../../support/http-raw.js';
import { type Replica, startReplica } from '../../support/http-replica.js';
import { openRedis, type RedisForData } from '../../support/shared-redis.js';

interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly issues?: readonly { path: string; message: string }[];
  };
}

const json = { 'content-type': 'application/json' };
const tooLarge = JSON.stringify({ filler: 'x'.repeat(1024 * 1024) });

describe('HTTP', () => {
  let server: RedisForData;
  let replica: Replica;

  before(async () => {
    server = await openRedis();
    replica = await startReplica(server.url);
  });
  after(async () => {
    await replica.close();
    await server.stop();
  });

  async function refusal(response: Response, status: number, code: string): Promise<ErrorBody['error']> {
    const body = (await response.json()) as ErrorBody;
    assert.deepEqual([response.status, body.error.code], [status, code], JSON.stringify(body));
    assert.deepEqual(Object.keys(body), ['error']);
    assert.equal(response.headers.get('content-type'), 'application/json; charset=utf-8');
    return body.error;
  }

  it('checks in this order: Host, Origin, 404, 405, 415, 413, 400', async () => {
    const everythingWrong = {
      ...{ 'content-type': 'text/plain', 'content-length': String(tooLarge.length) },
      ...{ origin: 'http://evil.example', host: 'evil.example' },
    };
    const steps: [string, string, Record<string, string>, number, string][] = [
      ['PUT', '/nowhere?a=1&a=2', everythingWrong, 403, 'host_not_allowed'],
      ['PUT', '/nowhere?a=1&a=2', { ...everythingWrong, host: 'localhost' }, 403, 'origin_not_allowed'],
      ['PUT', '/nowhere?a=1&a=2', { 'content-type': 'text/plain' }, 404, 'not_found'],
      ['PUT', '/api/stop?a=1&a=2', { 'content-type': 'text/plain' }, 405, 'method_not_allowed'],
      ['POST', '/api/stop?a=1&a=2', { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
      ['POST', '/api/stop?a=1&a=2', json, 413, 'body_too_large'],
    ];
    for (const [method, path, headers, status, code] of steps) {
      const answer = await exchange(method, path, headers, tooLarge);
      assert.deepEqual([answer.status, answer.code], [status, code], `${method} ${path}`);
    }
    const last = await exchange('POST', '/api/stop?a=1&a=2', json, '{}');
    assert.deepEqual([last.status, last.code], [400, 'invalid_request']);
  });

  it('refuses a body that is too large, with or without a Content-Length', async () => {
    for (const length of [String(tooLarge.length), null]) {
      const framing: Record<string, string> =
        length === null ? { 'transfer-encoding': 'chunked' } : { 'content-length': length };
      const answer = await exchange('POST', '/api/stop', { ...json, ...framing }, tooLarge);
      assert.deepEqual([answer.status, answer.code], [413, 'body_too_large']);
    }
  });

  it('accepts a body of exactly the limit', async () => {
    const answer = await exchange('POST', '/api/stop', json, '{}'.padEnd(16 * 1024));
    assert.equal(answer.status, 200);
  });

  it('takes a missing content type as JSON and an empty body as {}', async () => {
    for (const init of [{}, { headers: json }, { headers: json, body: '{}' }, { headers: json, body: '' }]) {
      assert.equal((await replica.post('/api/stop', init)).status, 200);
    }
    const [bare] = await sendRaw(
      replica.port,
      'POST /api/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}',
    );
    assert.equal(bare?.status, 200);
  });

  it('accepts only JSON in UTF-8', async () => {
    for (const type of ['application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"']) {
      assert.equal(
        (await replica.post('/api/stop', { headers: { 'content-type': type }, body: '{}' })).status,
        200,
      );
    }
    for (const type of [
      ...['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'],
      ...['application/jsonp', 'application/json; charset=utf-16', 'text/json'],
    ]) {
      const response = await replica.post('/api/stop', { headers: { 'content-type': type }, body: '{}' });
      await refusal(response, 415, 'unsupported_media_type');
    }
    const packed = await replica.post('/api/stop', {
      headers: { ...json, 'content-encoding': 'gzip' },
      body: '{}',
    });
    await refusal(packed, 415, 'unsupported_media_type');
  });

  it('distinguishes invalid JSON from JSON that is not an object', async () => {
    for (const body of ['{', '{"a":1,}', 'undefined', ' ', '{} {}', Buffer.from([0x22, 0xff, 0x22])]) {
      await refusal(await replica.post('/api/stop', { headers: json, body }), 400, 'invalid_json');
    }
    for (const body of ['[]', '"text"', '1', 'null', 'true']) {
      const error = await refusal(
        await replica.post('/api/stop', { headers: json, body }),
        400,
        'invalid_request',
      );
      assert.deepEqual(error.issues, [{ path: '', message: 'must be a JSON object' }]);
    }
  });

  it('names every unknown field of a body', async () => {
    const response = await replica.post('/api/auth/start', { headers: json, body: '{"a":1,"b":2}' });
    const error = await refusal(response, 400, 'invalid_request');
    assert.deepEqual(error.issues, [
      { path: 'a', message: 'unknown field' },
      { path: 'b', message: 'unknown field' },
    ]);
  });

  it('ignores an unknown parameter of a query and refuses a repeated one', async () => {
    assert.equal((await replica.get('/api/status?utm=1')).status, 200);
    const error = await refusal(await replica.get('/api/status?a=1&a=1'), 400, 'invalid_request');
    assert.deepEqual(error.issues, [{ path: 'a', message: 'given more than once' }]);
  });

  for (const path of [
    ...['/nowhere', '/api', '/api/', '/api/status/', '/API/status', '/api//status', '//api/status'],
    ...['/api/status/x', '/api/%73tatus', '/api/status%00', '/api/%zz', '/..%2f', '/qr.png/', '/qr.PNG'],
    ...['/index.html', '/api/status;x', '/.env', '/favicon.ico'],
  ]) {
    it(`answers 404 at ${path}`, async () => {
      const [answer] = await sendRaw(replica.port, `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      assert.equal(answer?.status, 404);
      assert.equal((JSON.parse(answer?.body ?? '') as ErrorBody).error.code, 'not_found');
    });
  }

  for (const [what, bytes, status] of [
    ['garbage', 'garbage\r\n\r\n', 400],
    ['a TLS hello', Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]), 400],
    ['an absolute target', 'GET http://localhost/api/status HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
    ['a fragment', 'GET /api/status#x HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
    ['no Host', 'GET /api/status HTTP/1.1\r\n\r\n', 400],
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n', 400],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['a header of 20 KB', `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    [
      'two lengths',
      'POST /api/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
      400,
    ],
    [
      'length and chunks',
      'POST /api/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    [
      'a broken chunk',
      'POST /api/stop HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      400,
    ],
    ['CONNECT', 'CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n', 405],
  ] as const) {
    it(`answers ${what} with ${status} in the error format, and goes on`, async () => {
      const [answer] = await sendRaw(replica.port, bytes);
      assert.equal(answer?.status, status);
      const { error } = JSON.parse(answer?.body ?? '') as ErrorBody;
      assert.equal(error.code, status === 405 ? 'method_not_allowed' : 'invalid_request');
      assert.equal(answer?.headers['x-content-type-options'], 'nosniff');
      assert.ok(answer?.headers['x-request-id']);
      assert.equal((await replica.get('/livez')).status, 200);
    });
  }

  it('answers pipelined requests in order', async () => {
    const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
    const requests = get('/api/status') + get('/nowhere') + get('/livez', 'Connection: close\r\n');
    const answers = await sendRaw(replica.port, requests, { untilClosed: true });
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 404, 200],
    );
  });

  it('serves a client of HTTP/1.0', async () => {
    const [answer] = await sendRaw(replica.port, 'GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n');
    assert.equal(answer?.status, 200);
  });

  it('names the allowed methods of every path', async () => {
    for (const [path, allow] of [
      ['/', 'GET, HEAD, OPTIONS'],
      ['/api/status', 'GET, HEAD, OPTIONS'],
      ['/qr', 'GET, HEAD, OPTIONS'],
      ['/livez', 'GET, HEAD, OPTIONS'],
      ['/api/auth/start', 'POST, OPTIONS'],
      ['/api/logout', 'POST, OPTIONS'],
    ] as const) {
      const options = await replica.get(path, { method: 'OPTIONS' });
      assert.deepEqual([options.status, options.headers.get('allow')], [204, allow]);
      for (const method of ['PUT', 'DELETE', 'PATCH', allow.startsWith('POST') ? 'GET' : 'POST']) {
        const response = await replica.get(path, { method });
        await refusal(response, 405, 'method_not_allowed');
        assert.equal(response.headers.get('allow'), allow);
      }
    }
    assert.equal((await replica.get('/nowhere', { method: 'OPTIONS' })).status, 404);
    assert.equal((await replica.get('/api/stop', { method: 'HEAD' })).status, 405);
    const [asterisk] = await sendRaw(replica.port, 'OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n');
    assert.equal(asterisk?.status, 204);
  });

  it('answers HEAD as GET without the body', async () => {
    for (const path of ['/', '/api/status', '/livez', '/nowhere', '/qr.png']) {
      const [head, get] = [await replica.get(path, { method: 'HEAD' }), await replica.get(path)];
      assert.equal(head.status, get.status);
      assert.equal(head.headers.get('content-length'), get.headers.get('content-length'));
      assert.equal(await head.text(), '');
    }
  });

  it('logs each request once, without its query or an unknown path', async () => {
    await replica.get('/api/status?phone_number=15551234567', { headers: { 'x-request-id': 'log-1' } });
    await replica.get('/chats/15551234567', { headers: { 'x-request-id': 'log-2' } });
    const lines = await eventually(() => {
      const found = replica.logLines.filter((line) => /^log-/.test(String(line.requestId)));
      return found.length === 2 && found;
    });
    assert.deepEqual(
      new Map(
        (lines as Record<string, unknown>[]).map(({ requestId, method, path, status, level }) => [
          requestId,
          [method, path, status, level],
        ]),
      ),
      new Map([
        ['log-1', ['GET', '/api/status', 200, 20]],
        ['log-2', ['GET', '(unknown)', 404, 20]],
      ]),
    );
    assert.ok(!JSON.stringify(replica.logLines).includes('15551234567'));
  });

  it('reports a port in use in one sentence that names the variable', async () => {
    const environment = { WHATSAPP_MCP_PORT: String(replica.port) };
    await assert.rejects(startReplica(server.url, { environment }), (error) => {
      assert.ok(error instanceof OperatorError);
      assert.match(error.message, new RegExp(`^127.0.0.1:${replica.port} is in use; .*WHATSAPP_MCP_PORT`));
      return true;
    });
  });

  /** Sends the whole body, even if the server answers early, and reads the answer. */
  async function exchange(
    method: string,
    path: string,
    headers: Record<string, string>,
    body: string,
  ): Promise<{ status: number; code: string | undefined }> {
    const request = httpRequest({
      port: replica.port,
      host: '127.0.0.1',
      method,
      path,
      headers,
      agent: false,
    });
    const answered = once(request, 'response');
    // A server that refuses early may reset the connection after its answer.
    request.on('error', () => undefined);
    request.end(body);
    const [response] = (await answered) as [IncomingMessage];
    let text = '';
    for await (const chunk of response) text += String(chunk);
    request.destroy();
    return { status: response.statusCode ?? 0, code: (JSON.parse(text) as Partial<ErrorBody>).error?.code };
  }
});
