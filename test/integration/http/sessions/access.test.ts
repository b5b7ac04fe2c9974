import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { newApiKey } from '../../../../src/platform/api-key.js';
import { cookieIn, type KeyedReplica, makeKeys, startKeyedReplica } from '../../../support/keyed-replica.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

const html = { accept: 'text/html', 'sec-fetch-site': 'same-origin' };
const asManual = { redirect: 'manual' } as const;

describe('the pages, links and tools of a named session', () => {
  const keys = makeKeys();
  const one = newApiKey('one', 'admin', ['sales']);
  const two = newApiKey('two', 'admin', ['sales', 'support']);
  const environment = {
    WHATSAPP_API_KEYS: [keys.environment.WHATSAPP_API_KEYS, one.entry, two.entry].join(','),
  };
  let server: RedisForData;
  let replica: KeyedReplica;

  before(async () => {
    server = await openRedis();
    replica = await startKeyedReplica(server.url, { ...keys, environment });
    for (const name of ['sales', 'support'])
      await replica.ask(keys.key.admin, `/api/sessions/${name}`, { method: 'PUT' });
  });
  after(async () => {
    await replica.close();
    await server.stop();
  });

  const placeAfterLogin = async (key: string, next = 'qr') => {
    const done = await replica.post(`/login?next=${encodeURIComponent(next)}`, {
      ...{ ...asManual, headers: { ...html, origin: replica.url } },
      body: new URLSearchParams({ key }),
    });
    return done.headers.get('location');
  };
  const statusOf = async (path: string, cookie: string) =>
    (await replica.get(path, { ...asManual, headers: { ...html, cookie } })).status;

  it('lead to the login and back, by relative addresses', async () => {
    const page = '/sessions/sales/qr';
    const turnedAway = await replica.get(page, { ...asManual, headers: html });
    const location = turnedAway.headers.get('location') ?? '';
    assert.deepEqual([turnedAway.status, location], [303, '../../login?next=sessions/sales/qr']);
    const next = new URL(location, replica.url + page).searchParams.get('next') ?? '';
    assert.equal(await placeAfterLogin(keys.key.admin, next), 'sessions/sales/qr');
    for (const wrong of ['sessions/../qr', 'sessions/Sales/qr', 'sessions/sales/qr/..', 'sessions//qr'])
      assert.equal(await placeAfterLogin(keys.key.admin, wrong), 'qr', wrong);
  });

  it('lead a person whose key is for other sessions to one of them', async () => {
    assert.equal(await placeAfterLogin(keys.key.admin), 'qr');
    assert.equal(await placeAfterLogin(one.key), 'sessions/sales/qr');
    assert.equal(await placeAfterLogin(two.key), '.');
    const overview = await replica.get('/', {
      headers: { ...html, cookie: await replica.cookieOf(two.key) },
    });
    const links = [...(await overview.text()).matchAll(/href="(sessions\/[^"]+)"/g)].map(([, link]) => link);
    assert.deepEqual(links, ['sessions/sales/qr', 'sessions/support/qr']);
  });

  it('let a guest see the session of the link, and no other', async () => {
    const link = await replica.qrLink({ session: 'sales' });
    assert.equal((await replica.get(link)).status, 200);
    const opened = await replica.post(link, asManual);
    assert.deepEqual([opened.status, opened.headers.get('location')], [303, '../sessions/sales/qr']);
    const cookie = cookieIn(opened);
    assert.equal(await statusOf('/sessions/sales/qr', cookie), 200);
    for (const path of ['/qr', '/sessions/support/qr']) assert.equal(await statusOf(path, cookie), 303, path);
    const events = async (path: string) => {
      const leaving = new AbortController();
      const { status } = await replica.get(path, { headers: { cookie }, signal: leaving.signal });
      leaving.abort();
      return status;
    };
    assert.equal(await events('/api/sessions/sales/events'), 200);
    assert.equal(await events('/api/sessions/support/events'), 401);
    assert.equal(await events('/api/events?sessions=*'), 401);
  });

  it('of tools are used for `default`, or for the only session of the key', async () => {
    const sessionSeenBy = async (key: string, input: object = {}) => {
      const response = await replica.ask(key, '/mcp', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
          params: { name: 'whatsapp_status', arguments: input },
        }),
      });
      const { result } = (await response.json()) as { result: { content: { text: string }[] } };
      const text = result.content[0]?.text ?? '';
      return /"session": "([^"]+)"/.exec(text)?.[1] ?? text;
    };
    assert.equal(await sessionSeenBy(keys.key.admin), 'default');
    assert.equal(await sessionSeenBy(keys.key.admin, { session: 'support' }), 'support');
    assert.equal(await sessionSeenBy(one.key), 'sales');
    assert.equal(await sessionSeenBy(two.key, { session: 'support' }), 'support');
    assert.match(await sessionSeenBy(two.key), /there is no session default.*whatsapp_list_sessions/s);
    assert.match(await sessionSeenBy(one.key, { session: 'support' }), /there is no session support/);
    assert.match(await sessionSeenBy(one.key, { session: 'No' }), /1-64 characters of a-z, 0-9 and -/);
  });
});
