import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { bounds } from '../../../../src/contract/bounds.js';
import { apiKeysKey, quarantineKey } from '../../../../src/contract/keys.js';
import { newApiKey } from '../../../../src/platform/api-key.js';
import { sha256Hex } from '../../../../src/platform/digest.js';
import { type EventClient, listenToEvents } from '../../../support/event-client.js';
import { claimToWrite, type EventWriter } from '../../../support/event-writer.js';
import { eventually } from '../../../support/eventually.js';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { cookieIn, type KeyedReplica, makeKeys, startKeyedReplica } from '../../../support/keyed-replica.js';
import { malformedValues } from '../../../support/malformed-values.js';
import { type RedisServer, startRedis } from '../../../support/redis-server.js';

type Made = { name: string; key: string; created_at: string; [field: string]: unknown };
type Listed = { name: string; source: string; [field: string]: unknown };

/** API keys that are made and ended while the replicas run. */
describe('a key made while it runs', () => {
  const keys = makeKeys();
  const { admin } = keys.key;
  const bound = newApiKey('bound', 'admin', ['default']);
  const environment = { WHATSAPP_API_KEYS: `${keys.environment.WHATSAPP_API_KEYS},${bound.entry}` };
  let server: RedisServer;
  let redis: Redis;
  let here: KeyedReplica;
  let there: KeyedReplica;
  let open: Replica;
  let writer: EventWriter;
  const clients: EventClient[] = [];

  before(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    // Some tests stop Redis.
    redis.on('error', () => undefined);
    const feedTuning = { lingerMs: 50 };
    [here, there] = await Promise.all([
      startKeyedReplica(server.url, keys, { feedTuning, environment }),
      startKeyedReplica(server.url, keys, { feedTuning, environment }),
    ]);
    open = await startReplica(server.url, { feedTuning });
  });
  beforeEach(async () => {
    await redis.flushall();
    writer = await claimToWrite(redis);
    await writer.publish({ state: 'starting' });
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
  after(async () => {
    await Promise.all([here.close(), there.close(), open.close()]);
    redis.disconnect();
    await server.stop();
  });

  const json = { 'content-type': 'application/json' };
  const withKey = (key: string, init: RequestInit = {}) => ({
    ...init,
    headers: { authorization: `Bearer ${key}`, ...json },
  });

  async function post(body: unknown, on: Replica = here, key: string | null = admin) {
    const init = { method: 'POST', body: JSON.stringify(body), headers: json };
    const response = await on.get('/api/keys', key === null ? init : withKey(key, init));
    return { status: response.status, body: (await response.json()) as Made & { error: Problem } };
  }
  type Problem = { code: string; message: string };

  const codeOf = async (response: Response) => ((await response.json()) as { error: Problem }).error.code;

  async function make(body: Record<string, unknown>, on: Replica = here): Promise<Made> {
    const made = await post(body, on, on === open ? null : admin);
    assert.equal(made.status, 200, JSON.stringify(made.body));
    return made.body;
  }

  async function remove(name: string, on: Replica = here, key: string | null = admin) {
    const init = { method: 'DELETE' };
    const response = await on.get(`/api/keys/${name}`, key === null ? init : withKey(key, init));
    return { status: response.status, body: (await response.json()) as { error?: Problem } };
  }

  const statusOf = async (key: string, on: Replica = there, path = '/api/status', init: RequestInit = {}) =>
    (await on.get(path, withKey(key, init))).status;

  async function listed(on: Replica = here): Promise<Listed[]> {
    const response = await on.get('/api/keys', on === open ? {} : withKey(admin));
    const { count, keys: all } = (await response.json()) as { count: number; keys: Listed[] };
    assert.equal(count, all.length);
    return all;
  }
  const names = async (on?: Replica) => (await listed(on)).map(({ name }) => name);

  async function listen(on: Replica, headers: Record<string, string>): Promise<EventClient> {
    const client = await listenToEvents(on.url, { headers });
    assert.equal(client.status, 200);
    clients.push(client);
    return client;
  }

  it('works at once on every replica with its scope, and not after it is deleted', async () => {
    const made = await make({ name: 'bot', scope: 'send' });
    assert.match(made.key, /^holdline_[\w-]{43}$/);
    assert.ok(Math.abs(Date.parse(made.created_at) - Date.now()) < 60_000);
    const { key, created_at, ...rest } = made;
    assert.deepEqual(rest, { ok: true, name: 'bot', scope: 'send', sessions: null, expires_at: null });
    for (const on of [here, there]) {
      assert.equal(await statusOf(key, on), 200);
      assert.equal(await statusOf(key, on, '/api/stop', { method: 'POST' }), 403, 'the scope is send');
      assert.equal((await on.get('/api/status', { headers: { 'x-api-key': key } })).status, 200);
    }
    assert.deepEqual(await remove('bot', there), { status: 200, body: { ok: true } });
    for (const on of [here, there]) assert.equal(await statusOf(key, on), 401);
    assert.equal((await remove('bot')).body.error?.code, 'key_not_found');
    assert.ok(Number.isFinite(Date.parse(created_at)));
  });

  it('is stored as a hash only, listed without it, and in no log', async () => {
    const { key } = await make({ name: 'bot', scope: 'read', sessions: ['shop', 'default'] });
    const stored = await redis.hgetall(apiKeysKey);
    assert.deepEqual(Object.keys(stored), [sha256Hex(key)]);
    const { created_at, ...entry } = JSON.parse(stored[sha256Hex(key)] ?? '');
    const facts = { name: 'bot', scope: 'read', sessions: ['shop', 'default'], expires_at: null };
    assert.deepEqual(entry, facts);
    const list = await listed(there);
    const configured = ['read', 'send', 'admin'].map((name) => ({ name, scope: name, sessions: null }));
    assert.deepEqual(list, [
      ...[...configured, { name: 'bound', scope: 'admin', sessions: ['default'] }].map((each) => ({
        ...each,
        ...{ expires_at: null, created_at: null, source: 'configuration' },
      })),
      { ...facts, created_at, source: 'api' },
    ]);
    await remove('bot');
    const said = JSON.stringify([list, here.logLines, there.logLines]);
    for (const secret of [key, sha256Hex(key), admin]) assert.ok(!said.includes(secret));
    for (const msg of ['made an API key', 'ended an API key']) {
      assert.ok(
        here.logLines.some((line) => line.msg === msg && line.key === 'admin'),
        msg,
      );
    }
  });

  it('ends its event streams, those of its logins, and waits, on every replica', async () => {
    const { key } = await make({ name: 'bot', scope: 'read' });
    const other = await make({ name: 'other', scope: 'read' });
    const cookie = await there.cookieOf(key);
    const mine = [
      await listen(here, { 'x-api-key': key }),
      await listen(there, { 'x-api-key': key }),
      await listen(there, { cookie }),
    ];
    const going = [
      await listen(there, { 'x-api-key': other.key }),
      await listen(there, { 'x-api-key': admin }),
    ];
    await writer.messages('before');
    for (const client of clients) await client.untilCount(1);
    const asked = there.get('/api/chats', { headers: { 'x-api-key': key, prefer: 'wait=100' } });
    await eventually(async () => (await redis.keys('{wa}:reads-default:r-*')).length === 1);
    await remove('bot');
    for (const client of mine) {
      await client.untilEnd();
      assert.ok(client.isComplete);
    }
    const answer = await asked;
    assert.equal(answer.status, 401);
    assert.match(await answer.text(), /this API key has ended/);
    assert.equal((await there.get('/api/status', { headers: { cookie } })).status, 401);
    await writer.messages('after');
    for (const client of going) await client.untilCount(2);
    assert.ok(mine.every(({ text }) => !text.includes('after')));
  });

  it('ends at its expiry, with its streams, and leaves its name free', async () => {
    const { key, expires_at } = await make({
      name: 'guest',
      scope: 'read',
      expires_at: new Date(Date.now() + 2_500).toISOString().replace('Z', '+00:00'),
    });
    assert.match(String(expires_at), /^\d{4}-.*Z$/);
    const client = await listen(there, { 'x-api-key': key });
    assert.ok((await names()).includes('guest'));
    await client.untilEnd();
    assert.ok(client.isComplete);
    assert.ok(Date.now() >= Date.parse(String(expires_at)));
    assert.equal(await statusOf(key), 401);
    assert.ok(!(await names()).includes('guest'));
    assert.equal((await remove('guest')).status, 404);
    await make({ name: 'guest', scope: 'read' });
    assert.equal(await redis.hlen(apiKeysKey), 1, 'the expired one is removed');
  });

  it('ends at its known expiry even while Redis is down', async () => {
    const expires_at = new Date(Date.now() + 4_000).toISOString();
    const short = await make({ name: 'short', scope: 'read', expires_at });
    const long = await make({ name: 'long', scope: 'read' });
    const [ends, goes] = [
      await listen(there, { 'x-api-key': short.key }),
      await listen(there, { 'x-api-key': long.key }),
    ];
    const reads = async () => Number(/cmdstat_hmget:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1]);
    const before = await reads();
    await eventually(async () => (await reads()) > before + 1, { message: 'the replica knows the expiry' });
    await server.kill();
    try {
      await eventually(() => ends.hasEnded, { timeoutMs: 20_000 });
      assert.equal(goes.hasEnded, false);
      assert.equal(await statusOf(long.key), 503);
      const refusal = await there.get('/api/status', withKey(`holdline_${'x'.repeat(43)}`));
      assert.equal(await codeOf(refusal), 'redis_unavailable');
      assert.equal(await statusOf('holdline_short'), 401, 'cannot be a key, so it is not looked up');
      assert.equal(await statusOf(keys.key.read, there, '/openapi.json'), 200, 'a configured key');
    } finally {
      await server.restart();
    }
    await eventually(async () => (await statusOf(long.key)) === 401, { message: 'this Redis keeps nothing' });
  });

  it('is checked once a second for all streams, in one round trip', async () => {
    const { key } = await make({ name: 'bot', scope: 'read' });
    const second = await make({ name: 'other', scope: 'read' });
    const cookie = await here.cookieOf(key);
    const ways: Record<string, string>[] = [{ 'x-api-key': key }, { 'x-api-key': second.key }];
    for (const headers of [...ways, { cookie }, { cookie }]) await listen(here, headers);
    await redis.config('RESETSTAT');
    const callsOf = async (command: string) =>
      Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await redis.info('commandstats'))?.[1] ?? 0);
    await eventually(async () => (await callsOf('hmget')) >= 3);
    const [checks, looked] = [await callsOf('hmget'), await callsOf('hget')];
    assert.ok((await callsOf('pttl')) <= checks + 1, 'one login');
    assert.equal(looked, 0);
  });

  it('is bound to its sessions: to it, others do not exist', async () => {
    const { key } = await make({ name: 'shop', scope: 'admin', sessions: ['shop'] });
    const refused = await there.get('/api/status', withKey(key));
    assert.deepEqual([refused.status, await codeOf(refused)], [404, 'session_not_found']);
    const cookie = await there.cookieOf(key);
    const page = await there.get('/api/status', { headers: { cookie } });
    assert.equal(await codeOf(page), 'session_not_found');
    const own = await make({ name: 'own', scope: 'admin', sessions: ['default', 'shop'] });
    assert.equal(await statusOf(own.key), 200, 'the control');
  });

  it('is made, listed and ended by an unbound admin alone', async () => {
    const made = await make({ name: 'ops', scope: 'admin' });
    const boundToo = await make({ name: 'boss', scope: 'admin', sessions: ['default'] });
    const { key: sender } = await make({ name: 'bot', scope: 'send' });
    const refusals = [
      [bound.key, /only for keys that are not bound/],
      [boundToo.key, /only for keys that are not bound/],
      [sender, /this needs an admin key/],
      [keys.key.send, /this needs an admin key/],
    ] as const;
    for (const [key, message] of refusals) {
      const made = await post({ name: 'x', scope: 'read' }, here, key);
      assert.deepEqual([made.status, made.body.error.code], [403, 'forbidden']);
      assert.match(made.body.error.message, message);
      assert.equal(await statusOf(key, there, '/api/keys'), 403);
      assert.equal((await remove('ops', there, key)).status, 403);
    }
    assert.equal((await post({ name: 'x', scope: 'read' }, there, made.key)).status, 200, 'a made one may');
    assert.equal((await remove('ops', there, made.key)).status, 200, 'even end itself');
    assert.equal((await there.get('/api/keys')).status, 401);
    const guest = { cookie: await here.guestCookie(), origin: here.url };
    assert.equal((await here.get('/api/keys', { headers: guest })).status, 403);
  });

  it('has a name of its own: neither that of a configured key nor of a living one, also of two at once', async () => {
    const taken = await post({ name: 'admin', scope: 'read' });
    assert.deepEqual([taken.status, taken.body.error.code], [409, 'key_name_taken']);
    assert.match(taken.body.error.message, /a key named admin in WHATSAPP_API_KEYS; choose another name/);
    const both = await Promise.all(
      [here, there, here, there].map((on) => post({ name: 'twin', scope: 'read' }, on)),
    );
    assert.deepEqual(both.map(({ status }) => status).sort(), [200, 409, 409, 409]);
    assert.equal((await names()).filter((name) => name === 'twin').length, 1);
    const lost = both.find(({ status }) => status === 409);
    assert.deepEqual(
      [lost?.body.error.code, lost?.body.error.message],
      ['key_name_taken', 'there is a key named twin already; choose another name'],
    );
    const configured = await remove('admin');
    assert.deepEqual([configured.status, configured.body.error?.code], [409, 'key_is_configured']);
    assert.match(configured.body.error?.message ?? '', /remove it from WHATSAPP_API_KEYS, and restart/);
  });

  it('can be ended although a key of its name was configured later', async () => {
    const { key } = await make({ name: 'late', scope: 'read' });
    const later = await startKeyedReplica(server.url, {
      ...keys,
      environment: {
        WHATSAPP_API_KEYS: `${environment.WHATSAPP_API_KEYS},${newApiKey('late', 'read').entry}`,
      },
    });
    try {
      assert.equal(await statusOf(key, later), 200);
      assert.deepEqual(await remove('late', later), { status: 200, body: { ok: true } });
      assert.equal((await remove('late', later)).status, 409);
    } finally {
      await later.close();
    }
  });

  it('says what is wrong with the request for one', async () => {
    const soon = new Date(Date.now() + 60_000).toISOString();
    const wrong: [Record<string, unknown>, RegExp][] = [
      [{ name: 'Bot', scope: 'read' }, /name must have 1-64 characters of a-z, 0-9 and -/],
      [{ scope: 'read' }, /name must have 1-64/],
      [{ name: 'bot', scope: 'root' }, /must be one of read, send, admin/],
      [{ name: 'bot', scope: 'read', sessions: [] }, /sessions must be a list of 1 to 100 different names/],
      [{ name: 'bot', scope: 'read', sessions: null }, /sessions must be a list/],
      [{ name: 'bot', scope: 'read', sessions: ['a', 'a'] }, /sessions must be a list/],
      [{ name: 'bot', scope: 'read', sessions: ['A|b'] }, /sessions must be a list/],
      [
        { name: 'bot', scope: 'read', sessions: Array.from({ length: 101 }, (_, i) => `s${i}`) },
        /sessions must/,
      ],
      [{ name: 'bot', scope: 'read', expires_at: 'tomorrow' }, /expires_at must be a time with its zone/],
      [{ name: 'bot', scope: 'read', expires_at: '2026-13-01T00:00:00Z' }, /expires_at must be a time/],
      [
        { name: 'bot', scope: 'read', expires_at: '2020-01-01T00:00:00Z' },
        /expires_at must be in the future/,
      ],
      [
        { name: 'bot', scope: 'read', expires_at: '9999-12-31T23:59:59-01:00' },
        /must be in the future, and before/,
      ],
      [{ name: 'bot', scope: 'read', expires_at: soon, key: 'mine' }, /key: unknown field/],
    ];
    for (const [body, message] of wrong) {
      const refused = await post(body);
      assert.deepEqual([refused.status, refused.body.error.code], [400, 'invalid_request'], String(message));
      assert.match(JSON.stringify(refused.body.error).replaceAll('\\"', '"'), message);
    }
    assert.equal((await remove('Bot')).status, 400);
    assert.equal(await redis.exists(apiKeysKey), 0);
  });

  it(`is refused beyond ${bounds.apiKeys} of them, of which expired ones do not count`, async () => {
    const entry = (name: string, expires_at: string | null) =>
      JSON.stringify({
        name,
        scope: 'read',
        sessions: null,
        created_at: '2026-01-01T00:00:00.000Z',
        expires_at,
      });
    const entries = Array.from({ length: bounds.apiKeys }, (_, i) => [
      sha256Hex(`key ${i}`),
      entry(`k${i}`, null),
    ]);
    await redis.hset(apiKeysKey, Object.fromEntries(entries));
    const refused = await post({ name: 'one-more', scope: 'read' });
    assert.deepEqual([refused.status, refused.body.error.code], [409, 'too_many_keys']);
    assert.match(
      refused.body.error.message,
      /there are 1000 API keys already; delete those that nobody uses/,
    );
    await redis.hset(apiKeysKey, sha256Hex('key 7'), entry('k7', '2026-01-02T00:00:00.000Z'));
    await make({ name: 'one-more', scope: 'read' });
    assert.equal(await redis.hlen(apiKeysKey), bounds.apiKeys);
  });

  it('is alone lost when its entry cannot be read', async () => {
    const odd = await make({ name: 'odd', scope: 'admin' });
    const good = await make({ name: 'good', scope: 'read' });
    const entry = JSON.parse((await redis.hget(apiKeysKey, sha256Hex(odd.key))) ?? '');
    const values = [
      ...['', 'rub{bish', '[]', '7', 'null', '{}', `${'['.repeat(100_000)}`],
      ...[{ scope: 'root' }, { sessions: [] }, { sessions: 'shop' }, { sessions: undefined }].map((change) =>
        JSON.stringify({ ...entry, ...change }),
      ),
      ...[{ expires_at: 'soon' }, { expires_at: 7 }, { expires_at: undefined }, { name: 'N' }].map((change) =>
        JSON.stringify({ ...entry, ...change }),
      ),
    ];
    for (const [i, value] of values.entries()) {
      await redis.hset(apiKeysKey, sha256Hex(odd.key), value);
      assert.deepEqual([await statusOf(odd.key), await statusOf(good.key)], [401, 200], value.slice(0, 99));
      assert.ok((await names()).includes('good'));
      assert.ok(!(await listed()).some(({ name }) => name === 'odd'), value.slice(0, 99));
      await make({ name: `new-${i}`, scope: 'read' });
      assert.equal((await remove(`new-${i}`)).status, 200);
    }
  });

  it('is unknown while its Redis key has a wrong type, which goes into quarantine', async () => {
    for (const { what, type, write } of malformedValues.filter(({ type }) => type !== 'hash')) {
      const { key } = await make({ name: 'bot', scope: 'read' });
      await write(redis, apiKeysKey);
      assert.equal(await statusOf(key), 401, what);
      assert.equal(await redis.type(quarantineKey(apiKeysKey)), type);
      await write(redis, apiKeysKey);
      assert.ok(!(await names()).includes('bot'), what);
      await write(redis, apiKeysKey);
      await make({ name: 'bot', scope: 'read' });
      await redis.del(apiKeysKey);
    }
  });

  it('logs a browser in, until the key ends', async () => {
    const { key } = await make({ name: 'person', scope: 'admin' });
    const done = await there.logIn(key);
    assert.equal(done.status, 303);
    const cookie = cookieIn(done);
    const seesKeys = (on: KeyedReplica) => on.get('/api/keys', { headers: { cookie } });
    assert.equal((await seesKeys(here)).status, 200);
    await remove('person');
    const again = await make({ name: 'person', scope: 'admin' });
    assert.equal((await seesKeys(here)).status, 401, 'the new key of this name is another one');
    assert.equal((await there.logIn(key)).status, 401);
    assert.equal((await there.logIn(again.key)).status, 303);
  });

  it('makes QR links, which end with it', async () => {
    const { key } = await make({ name: 'host', scope: 'admin' });
    const linkOf = async (on: Replica) => {
      const response = await on.get('/api/qr-links', withKey(key, { method: 'POST', body: '{}' }));
      return new URL(((await response.json()) as { url: string }).url).pathname;
    };
    const [first, second, unkeyed] = [await linkOf(here), await linkOf(there), await linkOf(open)];
    const guest = cookieIn(await there.post(first, { redirect: 'manual' }));
    const asGuest = () => here.get('/qr', { headers: { cookie: guest } });
    assert.equal((await asGuest()).status, 200);
    assert.equal((await here.get(second)).status, 200);
    assert.equal((await open.get(unkeyed)).status, 200);
    await remove('host');
    assert.equal((await asGuest()).status, 401);
    assert.equal((await here.get(second)).status, 404);
    assert.equal((await open.get(unkeyed)).status, 404);
  });

  it('does not close an open gateway, and has its own rights there', async () => {
    const made = await make({ name: 'bot', scope: 'read' }, open);
    const shop = await make({ name: 'shop', scope: 'admin', sessions: ['shop'] }, open);
    const link = { method: 'POST', body: '{}', headers: json };
    assert.equal((await open.get('/api/qr-links', link)).status, 200, 'without a key');
    assert.equal(await statusOf(made.key, open), 200);
    assert.equal(await statusOf(made.key, open, '/api/qr-links', link), 403);
    assert.equal(await statusOf(shop.key, open), 404);
    assert.equal(await statusOf(shop.key, open, '/metrics'), 403);
    assert.equal(await statusOf(made.key, there), 200, 'and on a replica with keys');
    for (const key of [admin, 'holdline_unknown', `holdline_${'x'.repeat(43)}`]) {
      assert.equal(await statusOf(key, open), 401, 'a key that nobody knows here');
    }
    assert.equal((await open.get('/api/status', { headers: { authorization: 'Basic eDp5' } })).status, 200);
    const client = await listen(open, { 'x-api-key': made.key });
    const nobody = await listen(open, {});
    assert.equal((await remove('bot', open, null)).status, 200);
    await client.untilEnd();
    assert.equal(await statusOf(made.key, open), 401);
    assert.equal(nobody.hasEnded, false);
    const proxied = { headers: { ...json, 'x-forwarded-for': '192.0.2.1' } };
    assert.equal((await open.get('/api/keys', proxied)).status, 403, 'only for the operator');
  });

  it('has no login on an open gateway, where none is needed', async () => {
    const { key } = await make({ name: 'bot', scope: 'read' }, open);
    const logIn = (text: string) =>
      open.post('/login', {
        ...{ redirect: 'manual', headers: { origin: open.url } },
        body: new URLSearchParams({ key: text }),
      });
    assert.equal((await logIn('holdline_unknown')).status, 401);
    const done = await logIn(key);
    assert.deepEqual([done.status, done.headers.get('location')], [303, 'qr']);
    assert.deepEqual(done.headers.getSetCookie(), []);
  });
});
