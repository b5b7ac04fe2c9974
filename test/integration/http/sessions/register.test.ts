import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { bounds } from '../../../../src/contract/bounds.js';
import {
  keyPrefix,
  registerCheckedKey,
  registerKey,
  registerNamesKey,
  sessionKeys,
  supervisorPlacesKey,
  supervisorRoomKey,
  supervisorsKey,
} from '../../../../src/contract/keys.js';
import { unreadableProxy } from '../../../../src/contract/proxy.js';
import { findSessions, noteRegisterChecked } from '../../../../src/platform/store/session-register.js';
import { makeKeyText } from '../../../support/credentials.js';
import { eventually } from '../../../support/eventually.js';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { isMalformedUnder, malformedValues } from '../../../support/malformed-values.js';
import {
  readyUntilAsked,
  type Script,
  type ScriptedOwner,
  showQrUntilAsked,
  startOwner,
} from '../../../support/scripted-owner.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown> & {
    readonly error?: { readonly code: string; readonly message: string };
    readonly sessions?: readonly { readonly session: string }[];
    readonly next_cursor?: string | null;
    readonly status?: { readonly state: string; readonly session: string };
  };
}

describe('the register of sessions', () => {
  let server: RedisForData;
  let redis: Redis;
  let replica: Replica;
  let other: Replica;
  const owners: ScriptedOwner[] = [];

  before(async () => {
    server = await openRedis();
    redis = new Redis(server.url);
    [replica, other] = [await startReplica(server.url), await startReplica(server.url)];
  });
  beforeEach(() => noteRegisterChecked(redis));
  afterEach(async () => {
    for (const owner of owners.splice(0)) await owner.close();
    await redis.flushdb();
  });
  after(async () => {
    await Promise.all([replica.close(), other.close()]);
    redis.disconnect();
    await server.stop();
  });

  async function call(method: string, path: string, body?: unknown, on = replica): Promise<Answer> {
    const response = await on.get(path, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  }
  const put = (name: string, body: unknown = {}, on = replica) =>
    call('PUT', `/api/sessions/${name}`, body, on);
  const codeOf = ({ status, body }: Answer) => [status, body.error?.code];
  async function namesIn(query = ''): Promise<string[]> {
    const { body } = await call('GET', `/api/sessions${query}`);
    return (body.sessions ?? []).map(({ session }) => session);
  }
  async function owned(script: Script): Promise<ScriptedOwner> {
    const owner = await startOwner(server.url, script);
    owners.push(owner);
    return owner;
  }

  it('makes a session once, and tells every replica', async () => {
    const made = await put('sales', { metadata: { team: 'sales' } });
    assert.equal(made.status, 201);
    const { created_at } = made.body;
    assert.ok(Math.abs(Date.parse(String(created_at)) - Date.now()) < 60_000);
    const { status } = made.body;
    assert.deepEqual([status?.state, status?.session], ['stopped', 'sales']);
    const changed = await put('sales', {}, other);
    assert.deepEqual([changed.status, changed.body], [200, made.body], 'left out: unchanged');
    const replaced = await put('sales', { metadata: { city: 'Ulm' } });
    assert.deepEqual(replaced.body.metadata, { city: 'Ulm' });
    assert.deepEqual(await call('GET', '/api/sessions/sales', undefined, other), replaced);
    assert.deepEqual((await call('GET', '/api/sessions/sales/status')).body, status);
  });

  it('keeps each field of `ignore` that is left out', async () => {
    const ignoreOf = ({ body }: Answer) => body.ignore;
    const usual = { stories: true, channels: true, groups: false };
    assert.deepEqual(ignoreOf(await put('sales')), usual);
    await put('sales', { ignore: { stories: false }, metadata: { a: 'b' } });
    await put('sales', { ignore: { groups: true } }, other);
    await put('sales', { ignore: {} });
    await put('default', { ignore: { channels: false } });
    const { body } = await call('GET', '/api/sessions');
    const listed = body.sessions as unknown as { ignore: object; metadata: object }[];
    assert.deepEqual(
      listed.map(({ ignore }) => ignore),
      [
        { ...usual, channels: false },
        { ...usual, stories: false, groups: true },
      ],
    );
    assert.deepEqual(listed[1]?.metadata, { a: 'b' });
    assert.deepEqual(ignoreOf(await put('sales', { ignore: { stories: true, groups: false } })), usual);
  });

  it('shows of a proxy only its server, and stores its login encrypted', async () => {
    const keyed = await startReplica(server.url, {
      environment: { WHATSAPP_CREDENTIALS_KEY: makeKeyText() },
    });
    try {
      const [user, password] = ['ada-secret', 'a pass:word'];
      const given = { server: 'http://proxy.lan:3128', username: user, password };
      const made = await put('sales', { proxy: given }, keyed);
      assert.deepEqual([made.status, made.body.proxy], [201, { server: given.server }]);
      await put('sales', { metadata: { a: 'b' } });
      assert.deepEqual(
        (await call('GET', '/api/sessions/sales')).body.proxy,
        { server: given.server },
        'kept',
      );
      const stored = String(await redis.hget(registerKey, 'sales'));
      assert.match(stored, /"login":\{"key_id":"[0-9a-f]{16}","data":"/);
      for (const text of [stored, JSON.stringify([keyed.logLines, replica.logLines])]) {
        assert.ok(!text.includes(user) && !text.includes(password));
      }
      // Without its login, the same server is another proxy.
      await put('sales', { proxy: { server: given.server } });
      assert.match(String(await redis.hget(registerKey, 'sales')), /"login":null/);
      assert.equal((await put('sales', { proxy: null })).body.proxy, null);
      assert.equal((await call('GET', '/api/sessions/default')).body.proxy, null);
    } finally {
      await keyed.close();
    }
  });

  it('refuses a password that it could not encrypt', async () => {
    const refused = await put('sales', {
      proxy: { server: 'http://proxy.lan:3128', username: 'ada', password: 'secret-word' },
    });
    assert.deepEqual(codeOf(refused), [400, 'invalid_request']);
    const { message = '' } = refused.body.error ?? {};
    assert.match(message, /proxy\.password: cannot be stored without WHATSAPP_CREDENTIALS_KEY/);
    assert.deepEqual(await namesIn(), ['default'], 'nothing was made');
  });

  const url = 'http://proxy.lan:3128';
  for (const [proxy, said] of [
    ['http://proxy.lan:3128', /must be null, or an object with server/],
    [{}, /http:\/\/host:port, https:\/\/host:port or socks5:\/\/host:port/],
    [{ server: 'http://ada:secret-word@proxy.lan:3128' }, /a user name and a password go into the fields/],
    [{ server: 'proxy.lan:3128' }, /http:\/\/host:port/],
    [{ server: 'http://proxy.lan' }, /http:\/\/host:port/],
    [{ server: 'http://proxy.lan:0' }, /http:\/\/host:port/],
    [{ server: 'http://proxy.lan:65536' }, /http:\/\/host:port/],
    [{ server: 'socks4://proxy.lan:1080' }, /http:\/\/host:port/],
    [{ server: 'http=proxy.lan:3128' }, /http:\/\/host:port/],
    [{ server: 'http://a:1,direct://' }, /http:\/\/host:port/],
    [{ server: 'http://proxy.lan:3128/path' }, /http:\/\/host:port/],
    [{ server: url, username: 'ada' }, /must be given together/],
    [{ server: url, password: 'secret-word' }, /must be given together/],
    [{ server: url, username: 'a:b', password: 'secret-word' }, /without a colon/],
    [{ server: url, username: 'ada', password: 'secret-word\n' }, /without control characters/],
    [
      { server: 'socks5://proxy.lan:1080', username: 'ada', password: 'secret-word' },
      /Chromium cannot log in/,
    ],
    [{ server: url, token: 'secret-word' }, /unknown field/],
  ] as const) {
    it(`refuses the proxy ${JSON.stringify(proxy)}, and does not repeat a password`, async () => {
      const refused = await put('sales', { proxy });
      assert.deepEqual(codeOf(refused), [400, 'invalid_request']);
      const { message = '' } = refused.body.error ?? {};
      assert.match(message, said);
      assert.ok(!message.includes('secret-word'), message);
      assert.deepEqual(await namesIn(), ['default']);
    });
  }

  it('has `default` by itself, which can be configured but not deleted', async () => {
    assert.deepEqual(await namesIn(), ['default']);
    const { status, body } = await put('default', { metadata: { a: 'b' } });
    assert.deepEqual([status, body.created_at, body.metadata], [200, null, { a: 'b' }]);
    assert.deepEqual(await namesIn(), ['default']);
    assert.deepEqual(await call('GET', '/api/sessions/default/status'), await call('GET', '/api/status'));
    const refused = await call('DELETE', '/api/sessions/default');
    assert.deepEqual(codeOf(refused), [400, 'invalid_request']);
    assert.match(refused.body.error?.message ?? '', /can only be logged out, by POST \/api\/logout/);
  });

  it('refuses bad names and values, and says what is allowed', async () => {
    for (const name of ['Sales', 'a_b', 'a'.repeat(65), 'a%2Fb', 'ä', '%00']) {
      for (const [method, path] of [
        ['PUT', ''],
        ['GET', ''],
        ['DELETE', ''],
        ['GET', '/status'],
        ['POST', '/auth/start'],
      ] as const) {
        const answer = await call(method, `/api/sessions/${name}${path}`, method === 'GET' ? undefined : {});
        assert.deepEqual(codeOf(answer), [400, 'invalid_request'], `${method} ${name}${path}`);
        assert.match(answer.body.error?.message ?? '', /1-64 characters of a-z, 0-9 and -/);
      }
    }
    for (const body of [
      { metadata: 'x' },
      { metadata: { a: 1 } },
      { metadata: { a: 'x'.repeat(5_000) } },
      { ignore: true },
      { ignore: { stories: 'yes' } },
      { ignore: { everything: true } },
      { unknown: 1 },
      { session: 'b' },
      { start: 'yes' },
    ]) {
      assert.deepEqual(codeOf(await put('sales', body)), [400, 'invalid_request'], JSON.stringify(body));
    }
    assert.deepEqual(await namesIn(), ['default'], 'nothing was made');
  });

  it('says that a session was never made, on each of its paths', async () => {
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['GET', '/status'],
      ['POST', '/auth/start'],
      ['POST', '/send'],
      ['GET', '/chats'],
      ['GET', '/events'],
      ['POST', '/qr-links'],
    ] as const) {
      const answer = await call(method, `/api/sessions/nobody${path}`, method === 'GET' ? undefined : {});
      assert.deepEqual(codeOf(answer), [404, 'session_not_found'], `${method} ${path}`);
      assert.match(
        answer.body.error?.message ?? '',
        /no session nobody; PUT \/api\/sessions\/nobody makes it, GET \/api\/sessions lists/,
      );
    }
    assert.deepEqual(codeOf(await call('POST', '/api/qr-links', { session: 'nobody' })), [
      404,
      'session_not_found',
    ]);
    assert.deepEqual(
      await redis.keys('*'),
      [registerCheckedKey],
      'nothing is stored for a name that does not exist',
    );
  });

  it('lists by pages and by state', async () => {
    await owned(showQrUntilAsked);
    const names = Array.from({ length: 25 }, (_, i) => `s${String(i).padStart(2, '0')}`);
    await Promise.all(names.map((name) => put(name)));
    const listed: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? '' : `&cursor=${cursor}`;
      const { body } = await call('GET', `/api/sessions?limit=10${query}`);
      listed.push(...(body.sessions ?? []).map(({ session }) => session));
      cursor = body.next_cursor ?? null;
    } while (cursor !== null);
    assert.deepEqual(listed, ['default', ...names].sort());
    await put('s07', { start: true });
    await eventually(async () => (await namesIn('?state=qr')).join() === 's07');
    assert.equal((await namesIn('?state=stopped&limit=5')).length, 5);
    for (const query of ['limit=0', 'limit=1001', 'limit=x', 'state=asleep', 'cursor=Z']) {
      assert.deepEqual(codeOf(await call('GET', `/api/sessions?${query}`)), [400, 'invalid_request'], query);
    }
  });

  it('runs sessions apart from each other', async () => {
    const owner = await owned(showQrUntilAsked);
    await Promise.all([put('a'), put('b')]);
    const started = await call('POST', '/api/sessions/a/auth/start');
    assert.equal((started.body as unknown as { state: string }).state, 'qr');
    assert.deepEqual(
      owner.runs.map(({ session }) => session),
      ['a'],
    );
    assert.equal((await replica.get('/sessions/a/qr.png')).status, 200);
    assert.deepEqual(codeOf(await call('GET', '/sessions/b/qr.png')), [404, 'qr_not_available']);
    assert.equal((await replica.status()).state, 'stopped');
    await call('POST', '/api/sessions/b/stop');
    await call('POST', '/api/logout');
    assert.deepEqual(await namesIn('?state=qr'), ['a']);
  });

  it('makes no session beside a supervisor of an earlier version, which would run it without its configuration', async () => {
    await put('old');
    await redis.zadd(supervisorsKey, Date.now() + 50_000, 'earlier-9-0000');
    await redis.hset(supervisorRoomKey, 'earlier-9-0000', 1);
    const refused = await put('new');
    assert.deepEqual(codeOf(refused), [503, 'session_not_ready']);
    assert.match(
      refused.body.error?.message ?? '',
      /earlier-9-0000 is of an earlier version.*update it first/,
    );
    assert.equal((await put('old', { metadata: { a: 'b' } })).status, 200);
    assert.equal((await put('default')).status, 200);
  });

  it('says of none that it was not made while Redis may have lost it', async () => {
    await put('sales', { metadata: { a: 'b' } });
    assert.equal((await call('GET', '/api/sessions/sales')).status, 200);
    await redis.flushdb();
    for (const [method, path] of [
      ['GET', '/api/sessions/sales'],
      ['POST', '/api/sessions/sales/send'],
      ['DELETE', '/api/sessions/sales'],
      ['GET', '/api/sessions/sales/events'],
      ['GET', '/sessions/sales/qr'],
    ] as const) {
      const response = await replica.get(path, { method });
      const body = (await response.json()) as { error: { code: string; message: string } };
      assert.deepEqual([response.status, body.error.code], [503, 'redis_unavailable'], path);
      assert.equal(response.headers.get('retry-after'), '5');
      assert.match(body.error.message, /not known whether there is a session sales: .* lost its data/);
    }
    // Lists make the order of the names anew, which says nothing.
    assert.equal((await call('GET', '/api/sessions')).status, 200);
    assert.equal((await call('GET', '/api/sessions/sales')).status, 503);
    assert.equal((await call('GET', '/api/sessions/default')).status, 200);
    assert.equal((await put('sales')).status, 201);
    assert.equal((await call('GET', '/api/sessions/sales')).status, 200);
    await noteRegisterChecked(redis);
    assert.equal((await call('GET', '/api/sessions/other')).status, 404);
  });

  it('refuses a call whose query names a session: it would be one of another account', async () => {
    await put('sales');
    for (const path of ['/api/send', '/api/sessions/sales/send', '/api/logout']) {
      const answer = await call('POST', `${path}?session=sales`, {});
      assert.deepEqual(codeOf(answer), [400, 'invalid_request'], path);
      assert.match(answer.body.error?.message ?? '', /session: belongs in the path/);
    }
    assert.deepEqual(codeOf(await call('GET', '/api/chats?session=sales')), [400, 'invalid_request']);
    assert.deepEqual(codeOf(await call('GET', '/api/status?session=sales')), [400, 'invalid_request']);
  });

  it('no longer says that a start waits when an earlier version has removed it', async () => {
    await put('a', { start: true });
    await redis.set(supervisorPlacesKey, '1 2 0', 'EX', 60);
    assert.equal((await call('GET', '/api/sessions/a/status')).body.state, 'starting');
    // As a replica of the version before does, which knows no such note.
    await redis.del(sessionKeys('a').job);
    await redis.lrem(`${keyPrefix}:sessions:wait`, 0, 's-a');
    assert.equal((await call('POST', '/api/sessions/a/stop')).status, 200);
    assert.equal((await call('GET', '/api/sessions/a/status')).body.state, 'stopped');
  });

  it('makes one session of two calls at once, and loses the change of neither', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        put('twice', { metadata: { n: String(i) } }, i % 2 ? replica : other),
      ),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [...Array(19).fill(200), 201]);
    assert.equal(new Set(answers.map(({ body }) => body.created_at)).size, 1);
  });

  it('has a limit on their number', async () => {
    const names = Array.from({ length: bounds.sessions }, (_, i) => `n${i}`);
    await redis.hset(registerKey, ...names.flatMap((name) => [name, '{"metadata":{}}']));
    const full = await put('more');
    assert.deepEqual(codeOf(full), [409, 'too_many_sessions']);
    assert.match(full.body.error?.message ?? '', /10000 sessions/);
    assert.equal((await put('n1')).status, 200);
    assert.equal((await call('DELETE', '/api/sessions/n2')).status, 200);
    assert.equal((await put('more')).status, 201);
    assert.equal((await namesIn('?limit=1000')).length, 1_000);
  });

  it('deletes a session that never ran, and all that is stored of it', async () => {
    await put('gone', { metadata: { a: 'b' } });
    const deleted = await call('DELETE', '/api/sessions/gone');
    assert.deepEqual([deleted.status, deleted.body.ok, deleted.body.unlinked], [200, true, false]);
    assert.deepEqual(codeOf(await call('GET', '/api/sessions/gone', undefined, other)), [
      404,
      'session_not_found',
    ]);
    assert.deepEqual(codeOf(await call('DELETE', '/api/sessions/gone')), [404, 'session_not_found']);
    assert.equal((await put('gone')).status, 201);
  });

  it('deletes a session that runs: its device is unlinked, its sends settle, and nothing of it is left', async () => {
    await owned(readyUntilAsked);
    await put('gone', { start: true });
    await eventually(async () => (await namesIn('?state=ready')).join() === 'gone');
    const link = (await call('POST', '/api/qr-links', { session: 'gone' })).body.url as string;
    // Nobody takes commands here, so it waits until the logout.
    const sending = call('POST', '/api/sessions/gone/send', { phone_number: '15551234567', message: 'Hi' });
    await eventually(async () => (await redis.llen(`${keyPrefix}:sends-gone:wait`)) === 1);
    const deleted = await call('DELETE', '/api/sessions/gone', undefined, other);
    assert.deepEqual(deleted.body, { ok: true, unlinked: true, reason: null });
    assert.deepEqual(codeOf(await sending), [409, 'login_required']);
    const left = (await redis.keys('*gone*')).sort();
    const k = sessionKeys('gone');
    const lasting = left.filter((key) => !/:(?:sends-gone|attempt|coming):/.test(key));
    assert.deepEqual(lasting, [k.account, k.wiped].sort());
    for (const key of left) assert.ok((await redis.ttl(key)) > 0, `${key} expires`);
    assert.equal((await replica.get(new URL(link).pathname)).status, 404);
    assert.equal((await put('gone')).status, 201);
    assert.equal(
      (await replica.get(new URL(link).pathname)).status,
      404,
      'also of a new session of that name',
    );
    assert.equal(await redis.ttl(k.wiped), -1, 'is needed again');
  });

  it('deletes a session that is started meanwhile', async () => {
    await owned(showQrUntilAsked);
    await put('busy', { start: true });
    const starts = Array.from({ length: 5 }, () => call('POST', '/api/sessions/busy/auth/start'));
    const deleted = await call('DELETE', '/api/sessions/busy');
    await Promise.all(starts);
    assert.equal(deleted.status, 200);
    assert.deepEqual(codeOf(await call('GET', '/api/sessions/busy')), [404, 'session_not_found']);
  });

  it('two deletions at once do not touch a session that is made after the first one', async () => {
    await owned(readyUntilAsked);
    for (let round = 0; round < 5; round++) {
      await put('again', { start: true });
      const deletions = [replica, other].map((on) => call('DELETE', '/api/sessions/again', undefined, on));
      await Promise.race(deletions);
      const made = await put('again');
      for (const { status } of await Promise.all(deletions))
        assert.ok([200, 404].includes(status), `${status}`);
      assert.equal(made.status, 201);
      assert.equal((await call('GET', '/api/sessions/again')).body.created_at, made.body.created_at);
      await call('DELETE', '/api/sessions/again');
    }
  });

  it('survives what another program writes under its keys', async () => {
    await Promise.all([put('a'), put('b')]);
    await redis.hset(registerKey, 'a', 'rub{bish', 'Bad Name', '{}', 'c', '[]');
    await redis.hset(registerKey, 'd', Buffer.from([0xff, 0xfe, 0x7b]));
    assert.deepEqual(await namesIn(), ['a', 'b', 'c', 'd', 'default']);
    const unknown = await findSessions(redis, ['a', 'd']);
    for (const record of unknown) assert.deepEqual(record?.proxy, unreadableProxy, 'not without its proxy');
    for (const name of ['a', 'd']) assert.equal((await put(name, { metadata: { x: 'y' } })).status, 200);
    for (const key of [registerNamesKey, registerKey]) {
      for (const value of malformedValues.filter((each) => isMalformedUnder(each, key))) {
        await value.write(redis, key);
        assert.ok((await namesIn()).includes('default'), `${value.what} under ${key}`);
        assert.ok([200, 201].includes((await put('a')).status), `${value.what} under ${key}`);
        assert.ok((await namesIn()).includes('a'), `${value.what} under ${key}`);
      }
    }
  });
});
