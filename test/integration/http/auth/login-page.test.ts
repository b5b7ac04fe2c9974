import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { newApiKey } from '../../../../src/platform/api-key.js';
import { cookieIn, type KeyedReplica, makeKeys, startKeyedReplica } from '../../../support/keyed-replica.js';
import { type RedisServer, startRedis } from '../../../support/redis-server.js';

const html = { accept: 'text/html,application/xhtml+xml' };

describe('the login form', () => {
  const keys = makeKeys();
  const { key } = keys;
  let server: RedisServer;
  let redis: Redis;
  let replica: KeyedReplica;
  let behindProxy: KeyedReplica;

  before(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    replica = await startKeyedReplica(server.url, keys);
    behindProxy = await startKeyedReplica(server.url, keys, {
      environment: {
        WHATSAPP_PUBLIC_URL: 'https://wa.example.org/hold',
        WHATSAPP_TRUSTED_PROXIES: '127.0.0.0/8',
      },
    });
  });
  afterEach(() => redis.flushall());
  after(async () => {
    await Promise.all([replica.close(), behindProxy.close()]);
    redis.disconnect();
    await server.stop();
  });

  const statusOf = async (path: string, cookie: string, from = replica) =>
    (await from.get(path, { headers: { cookie, ...html }, redirect: 'manual' })).status;

  it('replaces a page that needs a login, and leads back to it', async () => {
    for (const page of ['qr', 'docs']) {
      const turnedAway = await replica.get(`/${page}`, { headers: html, redirect: 'manual' });
      assert.deepEqual([turnedAway.status, turnedAway.headers.get('location')], [303, `login?next=${page}`]);
      const form = await replica.get(`/login?next=${page}`, { headers: html });
      assert.equal(form.status, 200);
      assert.ok((await form.text()).includes(`action="login?next=${page}"`));
      const done = await replica.post(`/login?next=${page}`, {
        ...{ redirect: 'manual', headers: { ...html, origin: replica.url } },
        body: new URLSearchParams({ key: ` ${key.admin}\n` }),
      });
      assert.deepEqual([done.status, done.headers.get('location')], [303, page]);
      assert.equal(await statusOf(`/${page}`, cookieIn(done)), 200);
    }
    assert.equal((await replica.get('/qr')).status, 401, 'a client that is no browser gets JSON');
  });

  it('leads to no other address', async () => {
    for (const next of [
      'https://evil.example',
      '//evil.example',
      '/qr',
      'javascript:alert(1)',
      'qr%0d%0aX:1',
    ]) {
      const done = await replica.post(`/login?next=${next}`, {
        ...{ redirect: 'manual', headers: html },
        body: new URLSearchParams({ key: key.admin }),
      });
      assert.equal(done.headers.get('location'), 'qr', next);
      assert.ok(
        !(await (await replica.get(`/login?next=${next}`, { headers: html })).text()).includes('evil'),
      );
    }
  });

  it('sets a cookie that is HttpOnly, SameSite=Strict and, under https, Secure', async () => {
    const [cookie = ''] = (await replica.logIn(key.admin)).headers.getSetCookie();
    assert.match(cookie, /^holdline_session=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/);
    const forwarded = { host: 'wa.example.org', origin: 'https://wa.example.org' };
    const [secure = ''] = (await behindProxy.logIn(key.admin, forwarded)).headers.getSetCookie();
    assert.match(secure, /; Path=\/hold; HttpOnly; SameSite=Strict; Secure$/);
    assert.ok((await redis.ttl((await redis.keys('{wa}:login:*'))[0] ?? '')) > 43_000);
  });

  it('logs in on every replica, until the login expires or a sign-out ends it on all of them', async () => {
    const cookie = await replica.cookieOf(key.admin);
    assert.equal(await statusOf('/qr', cookie, behindProxy), 200);
    const out = await replica.post('/signout', {
      ...{ redirect: 'manual', headers: { cookie, origin: replica.url, ...html } },
    });
    assert.deepEqual([out.status, out.headers.get('location')], [303, 'login']);
    assert.match(out.headers.getSetCookie()[0] ?? '', /^holdline_session=; Max-Age=0;/);
    for (const each of [replica, behindProxy]) assert.equal(await statusOf('/qr', cookie, each), 303);

    const other = await replica.cookieOf(key.admin);
    await redis.pexpire((await redis.keys('{wa}:login:*'))[0] ?? '', 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(await statusOf('/qr', other), 303);
  });

  it('gives a login that ends when its key is removed, replaced under the same name, or bound to sessions', async () => {
    const cookie = await replica.cookieOf(key.admin);
    const [own = ''] =
      keys.environment.WHATSAPP_API_KEYS?.split(',').filter((entry) => /^admin:/.test(entry)) ?? [];
    const others = [newApiKey('other', 'admin').entry, newApiKey('admin', 'admin').entry];
    for (const entry of [...others, `${own}:sessions=default`]) {
      const later = await startKeyedReplica(server.url, {
        ...keys,
        environment: { WHATSAPP_API_KEYS: entry },
      });
      assert.equal(await statusOf('/qr', cookie, later), 303, entry);
      await later.close();
    }
    assert.equal(await statusOf('/qr', cookie), 200, 'the control');
  });

  it('shows a key without the right to see the code a page that says so, with a sign-out', async () => {
    const response = await replica.get('/qr', {
      headers: { cookie: await replica.cookieOf(key.read), ...html },
    });
    assert.equal(response.status, 403);
    assert.match(await response.text(), /does not allow this.*action="signout"/s);
  });

  it('binds the login to the sessions of its key, whatever their order', async () => {
    const { key: bound, entry } = newApiKey('shop', 'admin', ['a', 'b']);
    const start = (text: string) =>
      startKeyedReplica(server.url, { ...keys, environment: { WHATSAPP_API_KEYS: text } });
    const [first, reordered, rebound] = await Promise.all(
      [entry, entry.replace('a|b', 'b|a'), entry.replace('a|b', 'a|c')].map(start),
    );
    try {
      const cookie = await first?.cookieOf(bound);
      const pageOf = (from?: KeyedReplica) =>
        from?.get('/qr', { headers: { cookie: cookie ?? '', ...html }, redirect: 'manual' });
      for (const from of [first, reordered]) {
        const page = await pageOf(from);
        assert.equal(page?.status, 404);
        assert.match((await page?.text()) ?? '', /There is no such session here.*action="signout"/s);
      }
      assert.equal((await pageOf(rebound))?.status, 303, 'to the login');
    } finally {
      await Promise.all([first, reordered, rebound].map((each) => each?.close()));
    }
  });

  it('refuses a wrong key with a message and no cookie', async () => {
    for (const wrong of ['holdline_wrong', '', `${key.admin}x`]) {
      const response = await replica.logIn(wrong);
      assert.equal(response.status, 401);
      assert.deepEqual(response.headers.getSetCookie(), []);
      assert.match(await response.text(), /role="alert">This key is not known here/);
    }
    const json = await replica.logIn(key.admin, { 'content-type': 'application/json' });
    assert.equal(json.status, 415);
    const long = await replica.logIn('x'.repeat(5_000));
    assert.equal(long.status, 413);
  });

  it('refuses every key of an address after ten wrong ones', async () => {
    for (let i = 0; i < 10; i++) assert.equal((await replica.logIn(`holdline_${i}`)).status, 401);
    for (const tried of ['holdline_wrong', key.admin]) {
      const refused = await replica.logIn(tried);
      assert.equal(refused.status, 429);
      assert.ok(Number(refused.headers.get('retry-after')) > 800);
      assert.match(await refused.text(), /too many login attempts/);
    }
    assert.equal((await replica.ask(key.admin, '/api/status')).status, 200, 'a key in a header still works');
  });

  it('forgets the wrong keys after a right one', async () => {
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 9; i++) assert.equal((await replica.logIn(`holdline_${i}`)).status, 401);
      assert.equal((await replica.logIn(key.admin)).status, 303);
    }
  });

  it('counts clients behind a trusted proxy one by one, and ignores X-Forwarded-For from others', async () => {
    const tryAs = async (from: KeyedReplica, forwarded: string) =>
      (await from.logIn('holdline_wrong', { 'x-forwarded-for': forwarded, origin: from.url })).status;
    for (let i = 0; i < 10; i++) assert.equal(await tryAs(behindProxy, `spoofed${i}, 203.0.113.7`), 401);
    assert.equal(await tryAs(behindProxy, '198.51.100.1, 203.0.113.7'), 429);
    assert.equal(await tryAs(behindProxy, '203.0.113.8'), 401);
    // A /64 network of IPv6 counts as one address.
    for (let i = 0; i < 10; i++) assert.equal(await tryAs(behindProxy, `2001:db8:0:1::${i}`), 401);
    assert.equal(await tryAs(behindProxy, '2001:db8:0:1:ffff::1'), 429);
    assert.equal(await tryAs(behindProxy, '2001:db8:0:2::1'), 401);
    // Without a trusted proxy the header is ignored.
    for (let i = 0; i < 10; i++) assert.equal(await tryAs(replica, `203.0.113.${i}`), 401);
    assert.equal(await tryAs(replica, '203.0.113.99'), 429);
  });

  it('answers 503 while Redis is down, to a right and to a wrong key', async () => {
    const cookie = await replica.cookieOf(key.admin);
    await server.kill();
    try {
      for (const tried of [key.admin, 'holdline_wrong']) {
        const startedAt = performance.now();
        assert.equal((await replica.logIn(tried)).status, 503);
        assert.ok(performance.now() - startedAt < 5_000, 'it did not wait for the command deadline');
      }
      assert.equal(await statusOf('/qr', cookie), 503);
      assert.equal((await replica.ask('holdline_wrong', '/api/status')).status, 401, 'needs no Redis');
    } finally {
      await server.restart();
    }
  });
});
