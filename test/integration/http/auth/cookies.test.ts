import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { cookieIn, type KeyedReplica, makeKeys, startKeyedReplica } from '../../../support/keyed-replica.js';
import { parseMetrics } from '../../../support/metrics.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

/** Another host of the same domain can add cookies to a browser. It must not lock the user out. */
describe('a login cookie among cookies of other hosts', () => {
  const keys = makeKeys();
  let server: RedisForData;
  let plain: KeyedReplica;
  let secure: KeyedReplica;
  let below: KeyedReplica;

  before(async () => {
    server = await openRedis();
    const at = (WHATSAPP_PUBLIC_URL: string) =>
      startKeyedReplica(server.url, keys, { environment: { WHATSAPP_PUBLIC_URL } });
    [plain, secure, below] = await Promise.all([
      startKeyedReplica(server.url, keys),
      at('https://wa.example.org'),
      at('https://wa.example.org/hold'),
    ]);
  });
  after(async () => {
    await Promise.all([plain.close(), secure.close(), below.close()]);
    await server.stop();
  });

  const strange = () => randomBytes(32).toString('base64url');
  const statusOf = async (cookie: string, from = plain) =>
    (await from.get('/api/status', { headers: { cookie } })).status;

  it('is found at any place among them', async () => {
    const cookie = await plain.cookieOf(keys.key.admin);
    const other = `holdline_session=${strange()}`;
    for (const cookies of [
      [cookie, other],
      [other, cookie],
      [other, 'holdline_session=', 'holdline_session=x', 'a=b', cookie],
      [cookie, cookie],
      [cookie, `holdline_qr=${strange()}`, `holdline_qr=${strange()}`],
    ]) {
      assert.equal(await statusOf(cookies.join('; ')), 200, cookies.join('; '));
    }
    assert.equal(await statusOf(other), 401, 'the control');
  });

  it('is looked for in the first 8 cookies of its name', async () => {
    const cookie = await plain.cookieOf(keys.key.admin);
    const others = (count: number) => Array.from({ length: count }, () => `holdline_session=${strange()}`);
    const met = async () => {
      const page = await plain.ask(keys.key.read, '/metrics');
      return parseMetrics(await page.text()).value('holdline_bound_reached_total', { bound: 'cookiesTried' });
    };
    assert.equal(await statusOf([...others(7), cookie].join('; ')), 200);
    assert.equal(await met(), 0);
    assert.equal(await statusOf([...others(8), cookie].join('; ')), 401);
    assert.equal(await met(), 1);
  });

  it('has a name under https that no other host can set, and precedes all cookies with the plain name', async () => {
    const forwarded = { host: 'wa.example.org', origin: 'https://wa.example.org' };
    const [guarded = '', dropped = ''] = (
      await secure.logIn(keys.key.admin, forwarded)
    ).headers.getSetCookie();
    assert.match(
      guarded,
      /^__Host-holdline_session=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict; Secure$/,
    );
    assert.match(dropped, /^holdline_session=; Max-Age=0; Path=\/;/);
    const [withPath = ''] = (await below.logIn(keys.key.admin, forwarded)).headers.getSetCookie();
    assert.match(withPath, /^__Secure-holdline_session=[\w-]{43}; Max-Age=43200; Path=\/hold; .*; Secure$/);

    const others = Array.from({ length: 50 }, () => `holdline_session=${strange()}`);
    for (const [from, cookie] of [
      [secure, guarded],
      [below, withPath],
    ] as const) {
      const own = cookie.split(';', 1)[0] ?? '';
      assert.equal(await statusOf([...others, own, ...others].join('; '), from), 200);
    }
  });

  it('of the previous version stays valid, and a sign-out ends every login of the request', async () => {
    const old = await plain.cookieOf(keys.key.admin);
    const twice = `${await plain.cookieOf(keys.key.read)}; ${old}`;
    assert.equal(await statusOf(old, secure), 200, 'the plain name, under https too');
    const out = await secure.post('/signout', {
      ...{ redirect: 'manual', headers: { cookie: twice, origin: 'https://wa.example.org' } },
    });
    assert.equal(out.status, 303);
    assert.deepEqual(
      out.headers.getSetCookie().map((line) => line.split(';', 2).join(';')),
      ['__Host-holdline_session=; Max-Age=0', 'holdline_session=; Max-Age=0'],
    );
    for (const cookie of twice.split('; ')) assert.equal(await statusOf(cookie), 401);
  });

  it('works the same way for QR links', async () => {
    const link = await plain.qrLink();
    const opened = await secure.post(link, { redirect: 'manual' });
    assert.match(cookieIn(opened), /^__Host-holdline_qr=[\w-]{43}$/);
    const cookie = `holdline_qr=${strange()}; ${cookieIn(opened)}`;
    assert.equal((await plain.get('/qr', { headers: { cookie } })).status, 200);
  });
});
