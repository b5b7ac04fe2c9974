import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import { type ApiErrorCode, httpStatusFor } from '../../../../src/contract/errors.js';
import { type Operation, operations } from '../../../../src/contract/operations.js';
import { type RawAnswer, sendRaw } from '../../../support/http-raw.js';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

describe('generated requests', () => {
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

  /** Runs generated requests. Asserts that the replica still answers and has logged no internal error. */
  async function each<T>(requests: fc.Arbitrary<T>, numRuns: number, run: (request: T) => Promise<void>) {
    await fc.assert(fc.asyncProperty(requests, run), { numRuns });
    assert.equal((await replica.get('/livez', { signal: AbortSignal.timeout(20_000) })).status, 200);
    const failures = replica.logLines.filter(
      ({ code, status }) => code === 'internal_error' || status === 500,
    );
    assert.deepEqual(failures, []);
  }

  it('with 2,000 bodies near the schemas answer 400 exactly when the schema refuses them', async () => {
    await each(bodyRequest, 2_000, async ({ operation, path, fields }) => {
      const response = await replica.post(path, {
        body: JSON.stringify(fields),
        headers: { 'content-type': 'application/json', prefer: 'wait=0' },
      });
      const text = await response.text();
      const names = namesIn(path);
      const repeatsThePath = Object.keys(names).some((name) => Object.hasOwn(fields, name));
      const isValid = !repeatsThePath && operation.input.safeParse({ ...fields, ...names }).success;
      assert.equal(response.status !== 400, isValid, text);
      if (response.status >= 400) assertErrorBody(response.status, text);
    });
  });

  it('with 1,000 queries are answered, or refused in the error format', async () => {
    await each(queryRequest, 1_000, async (target) => {
      const response = await replica.get(target, { headers: { prefer: 'wait=0' } });
      const text = await response.text();
      if (response.status >= 400) assertErrorBody(response.status, text);
    });
  });

  it('with 1,000 random methods, paths, headers and bodies are answered, or refused in the error format', async () => {
    await each(anyRequest, 1_000, async (text) => {
      const answers = await sendRaw(replica.port, Buffer.from(text), { untilClosed: true });
      assert.notEqual(answers.length, 0, 'no answer');
      assertAnswers(answers);
    });
  });

  it('with 1,000 pieces of broken HTTP are refused in the error format, or not answered', async () => {
    await each(brokenRequest, 1_000, async (text) => {
      assertAnswers(
        await sendRaw(replica.port, Buffer.from(text, 'latin1'), { untilClosed: true, thenEnd: true }),
      );
    });
  });
});

/** The fields that the path names. The test requests the path literally, so `{id}` is the value of `id`. */
function namesIn(path: string): Record<string, string> {
  return Object.fromEntries([...path.matchAll(/\{(\w+)\}/g)].map(([text, name]) => [name, text]));
}

function assertAnswers(answers: readonly RawAnswer[]): void {
  for (const { status, headers, body } of answers.filter((answer) => answer.status !== 100)) {
    assert.ok(status >= 200 && status < 600, `status ${status}`);
    assert.ok(headers['x-request-id'], 'every answer has a request id');
    // An answer to HEAD has no body.
    if (status >= 400 && body !== '') assertErrorBody(status, Buffer.from(body, 'latin1').toString());
  }
}

function assertErrorBody(status: number, text: string): void {
  const body = JSON.parse(text) as { error: { code: ApiErrorCode; message: string } };
  assert.deepEqual(Object.keys(body), ['error']);
  // 431 (header too large) and 408 (request too slow) have no code of their own.
  const own = ['GET', 'POST'].map((method) => httpStatusFor(body.error.code, method));
  assert.ok([408, 431, ...own].includes(status), text);
  assert.notEqual(status, 500);
  assert.match(body.error.message, /^[^\n]{1,300}$/);
  assert.doesNotMatch(text, /node_modules|node:internal|\.[jt]s:\d+|\bat \w+ \(/);
}

const posts = Object.values<Operation>(operations).flatMap((operation) =>
  operation.routes.filter(({ method }) => method === 'POST').map(({ path }) => ({ operation, path })),
);
const gets = Object.values<Operation>(operations).flatMap((operation) =>
  operation.routes.filter(({ method }) => method === 'GET').map(({ path }) => ({ operation, path })),
);

/** Values of a field on both sides of what its schema accepts. */
const near: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  phone_number: fc.oneof(
    {
      weight: 4,
      arbitrary: fc.string({
        unit: fc.constantFrom(...'00112233445566778899+ -'),
        minLength: 6,
        maxLength: 18,
      }),
    },
    fc.integer(),
  ),
  chat_id: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('1@lid', '1@c.us', '1@g.us', '1-2@g.us', '1@newsletter') },
    fc.string({ unit: fc.constantFrom(...'012@lidgus.c-'), maxLength: 12 }),
  ),
  link_preview: fc.boolean(),
  mark_seen: fc.boolean(),
  message: fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('', 'x'.repeat(65_536), 'x'.repeat(65_537)),
  ),
  emoji: fc.constantFrom('👍', '', '❤', '👍👍', 'ok'),
  limit: fc.oneof(fc.integer({ min: -5, max: 110 }), fc.double(), fc.integer().map(String)),
};

const bodyRequest = fc.constantFrom(...posts).chain(({ operation, path }) => {
  const { properties = {} } = z.toJSONSchema(operation.input, { io: 'input' });
  const field = (name: string) =>
    fc.oneof({ weight: 6, arbitrary: near[name] ?? fc.jsonValue() }, fc.jsonValue());
  const all = fc.record(Object.fromEntries(Object.keys(properties).map((name) => [name, field(name)])));
  const known = fc.oneof(
    { weight: 3, arbitrary: all },
    fc
      .tuple(all, fc.subarray(Object.keys(properties)))
      .map(([fields, kept]) => Object.fromEntries(kept.map((name) => [name, fields[name]]))),
  );
  const strays = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 2 });
  return fc
    .tuple(known, fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, strays))
    .map(([fields, more]) => ({ operation, path, fields: { ...more, ...fields } }));
});

const queryText = fc.oneof(
  fc.string({ unit: 'binary' }).map((text) => encodeURIComponent(text)),
  fc.stringMatching(/^[!-"$-~]{0,20}$/),
);
const segmentText = fc.stringMatching(/^[!-"$-.0-9:->@-~]{1,20}$/);
const queryRequest = fc
  .tuple(
    fc.constantFrom(...gets.map(({ path }) => path)),
    fc.oneof(
      fc.constantFrom('x', '15551234567', '%2B15551234567', '%', '%ff', '..', '%2e%2e', '%2F'),
      segmentText,
    ),
    fc.array(
      fc.tuple(fc.oneof(fc.constantFrom('limit', 'phone_number', 'chat_id', 'id'), queryText), queryText),
      {
        maxLength: 4,
      },
    ),
  )
  .map(([path, segment, pairs]) => {
    const query = pairs.map(([name, value]) => `${name}=${value}`).join('&');
    return `${path.replace(/\{\w+\}/g, () => segment)}?${query}`.replaceAll('#', '%23');
  });

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY', 'PURGE'];
const paths = [
  ...new Set([...posts, ...gets].map(({ path }) => path)),
  '/qr',
  '/qr.png',
  '/livez',
  '/readyz',
  '/metrics',
];
const headerName = fc.oneof(
  fc.constantFrom(
    'Prefer',
    'Idempotency-Key',
    'X-Request-Id',
    'Origin',
    'Accept',
    'Expect',
    'Range',
    'Cookie',
  ),
  fc.stringMatching(/^X-[A-Za-z0-9-]{1,12}$/),
);
const headerValue = fc.oneof(
  fc.stringMatching(/^[!-~]([ -~]{0,40}[!-~])?$/),
  fc.constantFrom('wait=0', '100-continue', 'null', 'respond-async', '*/*'),
);

/** Well-formed HTTP requests that neither wait nor change the session. */
const anyRequest = fc
  .record({
    method: fc.constantFrom(...methods),
    path: fc.oneof(fc.constantFrom(...paths), fc.stringMatching(/^\/[!-"$-~]{0,40}$/)),
    headers: fc.array(fc.tuple(headerName, headerValue), { maxLength: 4 }),
    type: fc.constantFrom('application/json', 'text/plain', 'application/json; charset=utf-16', ''),
    body: fc.oneof(fc.json(), fc.string()),
  })
  .map(({ method, path, headers, type, body }) => {
    const lines = [
      `${method} ${path} HTTP/1.1`,
      'Host: localhost',
      'Prefer: wait=0',
      'Connection: close',
      `Content-Length: ${Buffer.byteLength(body)}`,
      ...(type === '' ? [] : [`Content-Type: ${type}`]),
      ...headers.map(([name, value]) => `${name}: ${value}`),
    ];
    return `${lines.join('\r\n')}\r\n\r\n${body}`;
  });

const whole = fc.constantFrom(
  'GET /api/chats?limit=5 HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=0\r\nConnection: close\r\n\r\n',
  'POST /api/send HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=0\r\nContent-Type: application/json\r\nContent-Length: 47\r\n\r\n{"phone_number":"15551234567","message":"text"}',
  'POST /api/messages HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=0\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n{"phone_number":"15551234567"}\r\n0\r\n\r\n',
);

const anyBytes = fc.array(fc.nat(255), { maxLength: 6 }).map((codes) => String.fromCharCode(...codes));

/** A request with pieces cut out, doubled or overwritten. Each character is one byte. */
const brokenRequest = fc
  .tuple(
    whole,
    fc.array(
      fc.record({
        at: fc.noBias(fc.nat(999)),
        length: fc.nat(12),
        put: fc.oneof(anyBytes, fc.constant(null)),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  )
  .map(([request, breaks]) => {
    let text = request;
    for (const { at, length, put } of breaks) {
      const start = Math.floor((at / 1_000) * text.length);
      const piece = text.slice(start, start + length);
      text = text.slice(0, start) + (put ?? piece + piece) + text.slice(start + length);
    }
    return text;
  });
