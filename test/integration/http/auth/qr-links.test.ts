import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { newApiKey } from '../../../../src/platform/api-key.js';
import { listenToEvents } from '../../../support/event-client.js';
import { claimToWrite } from '../../../support/event-writer.js';
import { eventually } from '../../../support/eventually.js';
import { type HeldSession, holdSession, linkedAccount } from '../../../support/held-session.js';
import { cookieIn, type KeyedReplica, makeKeys, startKeyedReplica } from '../../../support/keyed-replica.js';
import { parseMetrics } from '../../../support/metrics.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

const html = { accept: 'text/html' };

describe('a QR link', () => {
  const keys = makeKeys();
  let server: RedisForData;
  let redis: Redis;
  let replica: KeyedReplica;
  let session: HeldSession;

  before(async () => {
    server = await openRedis();
    redis = new Redis(server.url);
    replica = await startKeyedReplica(server.url, keys);
    session = await holdSession(server.url, replica.asAdmin, 30_000);
  });
  after(async () => {
    await session.close();
    await replica.close();
    redis.disconnect();
    await server.stop();
  });
  beforeEach(() => session.run.publish('qr', { qrText: 'a code' }));

  const getAsGuest = (path: string, cookie: string, init: RequestInit = {}) =>
    replica.get(path, { redirect: 'manual', ...init, headers: { cookie, ...init.headers } });

  it('lasts ten minutes, or as long as the request says', async () => {
    for (const [body, ttlS] of [
      [{}, 600],
      [{ ttl_s: 60 }, 60],
    ] as const) {
      const askedAt = Date.now();
      const response = await replica.ask(keys.key.admin, '/api/qr-links', {
        ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
      });
      const link = (await response.json()) as { ok: true; url: string; expires_at: string };
      assert.deepEqual(Object.keys(link), ['ok', 'url', 'expires_at']);
      assert.match(link.url, new RegExp(`^${replica.url}/link/[\\w-]{43}$`));
      const beganAt = Date.parse(link.expires_at) - ttlS * 1_000;
      assert.ok(beganAt >= askedAt && beganAt <= Date.now(), link.expires_at);
    }
    for (const ttl_s of [9, 86_401, '60', 1.5]) {
      const refused = await replica.ask(keys.key.admin, '/api/qr-links', {
        ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
        body: JSON.stringify({ ttl_s }),
      });
      assert.equal(refused.status, 400);
    }
  });

  it('survives link previews, and then works once', async () => {
    const link = await replica.qrLink();
    for (const method of ['GET', 'HEAD', 'GET', 'OPTIONS']) {
      const preview = await replica.get(link, { method, headers: { 'user-agent': 'WhatsApp/2.23' } });
      assert.ok(preview.ok, method);
      assert.deepEqual(preview.headers.getSetCookie(), []);
      const body = await preview.text();
      if (method === 'GET') assert.match(body, /<form method="post">\s*<button type="submit">Show the code/);
      assert.ok(!body.includes('data:image/png'));
    }
    const opened = await replica.post(link, { redirect: 'manual', headers: { origin: replica.url } });
    assert.deepEqual([opened.status, opened.headers.get('location')], [303, '../qr']);
    assert.match(
      opened.headers.getSetCookie()[0] ?? '',
      /^holdline_qr=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; SameSite=Strict$/,
    );
    assert.equal((await getAsGuest('/qr', cookieIn(opened))).status, 200);
    for (const method of ['GET', 'POST']) {
      const again = await replica.get(link, { method, headers: html, redirect: 'manual' });
      assert.equal(again.status, 404);
      assert.deepEqual(again.headers.getSetCookie(), []);
      assert.match(await again.text(), /This link does not work.*<a href="\.\.\/qr">Go to the code/s);
    }
  });

  it('of several sessions can be opened in one browser, and each leads back to its own', async () => {
    const names = ['default', 'shop', 'shop-2'];
    const cookies: string[] = [];
    for (const name of names) {
      await replica.ask(keys.key.admin, `/api/sessions/${name}`, { method: 'PUT' });
      if (name !== 'default') await (await claimToWrite(redis, name)).publish({ state: 'starting' });
      const link = await replica.qrLink({ session: name });
      const opened = await replica.post(link, { redirect: 'manual', headers: { origin: replica.url } });
      const page = name === 'default' ? '/qr' : `/sessions/${name}/qr`;
      assert.equal(opened.headers.get('location'), `..${page}`);
      cookies.push(cookieIn(opened));
      const again = await replica.get(link, { headers: html });
      assert.match(await again.text(), new RegExp(`<a href="\\.\\.${page}">Go to the code`));
    }
    const cookie = cookies.join('; ');
    assert.equal(new Set(cookies.map((each) => each.split('=')[0])).size, 3);
    for (const page of ['/qr', '/sessions/shop/qr', '/sessions/shop-2/qr'])
      assert.equal((await getAsGuest(page, cookie)).status, 200, page);
    assert.equal((await getAsGuest('/sessions/shop/qr', cookies[2] ?? '')).status, 401, 'of another session');
  });

  it('opens for one of twenty guests who press the button at once', async () => {
    const link = await replica.qrLink();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => replica.post(link, { redirect: 'manual' })),
    );
    assert.equal(answers.filter(({ status }) => status === 303).length, 1);
    assert.equal(answers.filter(({ status }) => status === 404).length, 19);
  });

  it('cannot be guessed, and ends when it expires or when the key that made it is removed', async () => {
    const link = await replica.qrLink();
    const token = link.split('/')[2] ?? '';
    const near = `${token.slice(0, -2)}${token.endsWith('AA') ? 'BB' : 'AA'}`;
    for (const guess of [near, token.toLowerCase(), 'x'.repeat(43), '*', 'x', `${token}/`, `${token}%00`]) {
      assert.equal((await replica.get(`/link/${guess}`)).status === 200, false, guess);
      assert.notEqual((await replica.post(`/link/${guess}`, { redirect: 'manual' })).status, 303);
    }
    assert.equal((await replica.get(link)).status, 200, 'the control');

    const cookie = await replica.guestCookie();
    const later = await startKeyedReplica(server.url, {
      ...keys,
      environment: { WHATSAPP_API_KEYS: newApiKey('admin', 'admin').entry },
    });
    assert.equal((await later.get('/qr.png', { headers: { cookie } })).status, 401);
    await later.close();
    assert.equal((await getAsGuest('/qr.png', cookie)).status, 200);

    for (const name of await redis.keys('{wa}:qr-*')) await redis.pexpire(name, 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal((await replica.get(link)).status, 404);
    assert.equal((await getAsGuest('/qr.png', cookie)).status, 401);
  });

  it('shows a guest the code and the state, and nothing else of the session', async () => {
    const cookie = await replica.guestCookie();
    const page = await (await getAsGuest('/qr', cookie)).text();
    assert.match(page, /<img src="data:image\/png;base64,/);
    assert.match(page, /State: <strong>qr<\/strong>/);
    assert.equal((await getAsGuest('/qr.png', cookie)).headers.get('content-type'), 'image/png');

    await session.run.publish('starting', { lastError: 'a secret of the server' });
    assert.ok(!(await (await getAsGuest('/qr', cookie)).text()).includes('secret'));
    await session.run.publish('passkey_required', { lastError: 'a secret of the server' });
    const asked = await (await getAsGuest('/qr', cookie)).text();
    assert.match(asked, /State: <strong>passkey_required<\/strong>/);
    assert.match(asked, /wants the passkey of the person/);
    assert.doesNotMatch(asked, /<img|secret|curl/);
    assert.equal((await getAsGuest('/qr.png', cookie)).status, 404);
    await session.run.publish('ready', { account: linkedAccount });
    const linked = await (await getAsGuest('/qr', cookie)).text();
    assert.match(linked, /State: <strong>ready<\/strong>/);
    for (const detail of ['Ada', '4915', 'curl', '/srv/', 'android', 'auth_dir']) {
      assert.ok(!linked.includes(detail), detail);
    }
    for (const path of [
      '/',
      '/health',
      '/api/status',
      '/api/chats',
      '/docs',
      '/openapi.json',
      '/api/jobs/x',
    ]) {
      assert.equal((await getAsGuest(path, cookie)).status, 403, path);
    }
  });

  it('gives a guest live events of the bare state and of the code, and no others', async () => {
    const cookie = await replica.guestCookie();
    for (const types of ['message', 'state,message', 'account', 'state,account', 'message_ack']) {
      assert.equal((await getAsGuest(`/api/events?types=${types}`, cookie)).status, 403, types);
    }
    for (const query of ['', '?types=state,qr']) {
      const client = await listenToEvents(replica.url, { query, lastEventId: '0-0', headers: { cookie } });
      assert.equal(client.status, 200);
      await session.run.publish('starting', { lastError: 'a secret of the server' });
      await session.run.publish('qr', { qrText: 'another' });
      await session.run.publish('passkey_required', { lastError: 'a secret of the server' });
      await session.run.publish('ready', { account: linkedAccount });
      const states = () => client.events.filter(({ type }) => type === 'state').map(({ body }) => body.data);
      await eventually(() => states().length >= 4);
      assert.deepEqual(
        states(),
        ['starting', 'qr', 'passkey_required', 'ready'].map((state) => ({ state })),
      );
      assert.ok(client.events.every(({ type }) => type === 'state' || type === 'qr'));
      for (const detail of ['secret', 'Ada', '4915', 'auth_dir', 'id:']) {
        assert.ok(!client.text.includes(detail), detail);
      }
      client.close();
    }
  });

  it('lets at most twenty guests listen, and leaves the places of API keys alone', async () => {
    const page = async () => parseMetrics(await (await replica.ask(keys.key.read, '/metrics')).text());
    await eventually(async () => (await page()).value('holdline_event_listeners') === 0);
    const cookie = await replica.guestCookie();
    const listen = (headers: Record<string, string>) => listenToEvents(replica.url, { headers });
    const clients = await Promise.all(Array.from({ length: 20 }, () => listen({ cookie })));
    const refused = await getAsGuest('/api/events', cookie);
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get('retry-after'), '5');
    clients.push(await listen({ 'x-api-key': keys.key.read }));
    assert.ok(clients.every(({ status }) => status === 200));
    for (const client of clients) client.close();
  });
});
