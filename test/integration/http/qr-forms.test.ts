import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { eventually } from '../../support/eventually.js';
import { type Replica, startReplica } from '../../support/http-replica.js';
import { cookieIn, type KeyedReplica, makeKeys, startKeyedReplica } from '../../support/keyed-replica.js';
import { type ScriptedOwner, showQrUntilAsked, startOwner } from '../../support/scripted-owner.js';
import { openRedis, type RedisForData } from '../../support/shared-redis.js';

const html = { accept: 'text/html,application/xhtml+xml' };
const formType = { 'content-type': 'application/x-www-form-urlencoded' };

describe('the forms of /qr', () => {
  const keys = makeKeys();
  let server: RedisForData;
  let redis: Redis;
  let replica: Replica;
  let owner: ScriptedOwner | null = null;

  before(async () => {
    server = await openRedis();
    redis = new Redis(server.url);
    replica = await startReplica(server.url);
  });
  afterEach(async () => {
    await owner?.close();
    owner = null;
    await redis.flushdb();
  });
  after(async () => {
    await replica.close();
    redis.disconnect();
    await server.stop();
  });

  const submit = (body: string, headers: Record<string, string> = { origin: replica.url }) =>
    fetch(`${replica.url}/qr-form`, {
      ...{ method: 'POST', redirect: 'manual', body },
      headers: { ...html, ...formType, ...headers },
    });
  const jobs = () => redis.exists('{wa}:sessions:s-default');

  it('start the session once there is a code, and lead back to the page', async () => {
    owner = await startOwner(server.url, showQrUntilAsked);
    const answer = await submit('do=start');
    assert.equal(answer.status, 303);
    assert.equal(answer.headers.get('location'), 'qr');
    assert.equal((await replica.status()).has_qr, true);
  });

  it('restart it', async () => {
    owner = await startOwner(server.url, showQrUntilAsked);
    await submit('do=start');
    assert.equal((await submit('do=restart')).status, 303);
    assert.equal(owner.runs.length, 2);
    assert.equal((await replica.status()).has_qr, true);
  });

  it('stop it, and the page says how to start again', async () => {
    owner = await startOwner(server.url, showQrUntilAsked);
    await submit('do=start');
    assert.equal((await submit('do=stop')).status, 303);
    assert.equal((await replica.status()).state, 'stopped');
    assert.match(await (await replica.get('/qr')).text(), /value="start"/);
  });

  it('record a start that no supervisor takes, and the page says so', async () => {
    assert.equal((await submit('do=start')).status, 303);
    assert.equal(await jobs(), 1);
    const page = await (await replica.get('/qr')).text();
    assert.match(page, /No supervisor is running/);
    assert.doesNotMatch(page, /value="start"/);
    owner = await startOwner(server.url, showQrUntilAsked);
    await eventually(async () => (await replica.status()).has_qr);
  });

  it('log out, and the page says for a minute what became of it', async () => {
    owner = await startOwner(server.url, showQrUntilAsked);
    await submit('do=start');
    assert.equal((await submit('do=logout')).status, 303);
    assert.match(await (await replica.get('/qr')).text(), /the phone no longer lists this device/);
  });

  for (const [what, headers] of [
    ['another origin', { origin: 'http://127.0.0.1:1' }],
    ['a page without an origin', { origin: 'null' }],
    ['no page', {}],
    ['another site', { origin: 'https://example.com', 'sec-fetch-site': 'cross-site' }],
  ] as const) {
    it(`do nothing for ${what}`, async () => {
      for (const action of ['start', 'restart', 'stop', 'logout', 'code']) {
        const answer = await submit(`do=${action}&phone_number=15551234567`, headers);
        assert.equal(answer.status, 403);
        assert.match(answer.headers.get('content-type') ?? '', /html/);
        assert.doesNotMatch(await answer.text(), /<script|http-equiv="refresh"/, 'the reason stays');
      }
      assert.equal(await jobs(), 0);
    });
  }

  it('refuse what they do not know, as a page to a browser and as JSON to a program', async () => {
    for (const body of ['', 'do=', 'do=wipe', 'do=constructor', 'do=__proto__', '%%%']) {
      assert.equal((await submit(body)).status, 400, body);
    }
    const program = await submit('do=x', { origin: replica.url, accept: '*/*' });
    const { error } = (await program.json()) as { error: { message: string } };
    assert.match(error.message, /do must be one of start, restart, code, stop, logout/);
    assert.equal(
      (await submit('{}', { origin: replica.url, 'content-type': 'application/json' })).status,
      415,
    );
  });

  it('show a wrong number beside the field, with what was typed', async () => {
    const answer = await submit(`do=code&phone_number=${encodeURIComponent('"><b>1')}`);
    assert.equal(answer.status, 400);
    const page = await answer.text();
    assert.match(page, /role="alert">The number must include the country code/);
    assert.ok(page.includes('value="&quot;&gt;&lt;b&gt;1"'));
  });

  it('are for admins: a cookie of another scope and a guest may not use them', async () => {
    const keyed: KeyedReplica = await startKeyedReplica(server.url, keys);
    try {
      const asCookie = async (key: string) => {
        const login = await fetch(`${keyed.url}/login`, {
          ...{ method: 'POST', redirect: 'manual', headers: { ...formType, origin: keyed.url } },
          body: `key=${encodeURIComponent(key)}`,
        });
        return cookieIn(login);
      };
      const press = async (cookie: string) => {
        const answer = await fetch(`${keyed.url}/qr-form`, {
          ...{ method: 'POST', redirect: 'manual', body: 'do=start' },
          headers: { ...html, ...formType, origin: keyed.url, cookie },
        });
        return answer.status;
      };
      assert.equal(await press(await asCookie(keys.key.read)), 403);
      assert.equal(await press(''), 303);
      assert.equal(await jobs(), 0);
      owner = await startOwner(server.url, showQrUntilAsked);
      assert.equal(await press(await asCookie(keys.key.admin)), 303);
      assert.equal(await redis.exists('{wa}:s:default:qr:png'), 1);
      const opened = await fetch(keyed.url + (await keyed.qrLink()), { method: 'POST', redirect: 'manual' });
      const guest = cookieIn(opened);
      assert.equal(await press(guest), 403);
      const page = await keyed.get('/qr-form?do=logout', { headers: { ...html, cookie: guest } });
      assert.equal(page.status, 403);
      assert.doesNotMatch(await page.text(), /<form/);
    } finally {
      await keyed.close();
    }
  });

  it('a QR link that is opened before a start is not used up', async () => {
    const keyed = await startKeyedReplica(server.url, keys);
    try {
      const link = keyed.url + (await keyed.qrLink());
      const open = () => fetch(link, { method: 'POST', redirect: 'manual', headers: html });
      const early = await open();
      const cookie = cookieIn(early);
      const page = () => keyed.get('/qr', { headers: { ...html, cookie } });
      assert.match(await (await page()).text(), /Ask the person who sent you the link to start/);
      owner = await startOwner(server.url, showQrUntilAsked);
      await keyed.asAdmin.post('/api/auth/start');
      assert.match(await (await page()).text(), /<img/, 'the early guest sees the code too');
      assert.equal((await open()).status, 303);
      assert.equal((await open()).status, 404);
    } finally {
      await keyed.close();
    }
  });
});

describe('a browser', () => {
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

  it('gets a page at / and at an unknown path, and a program JSON', async () => {
    const home = await replica.get('/', { headers: html });
    assert.match(home.headers.get('content-type') ?? '', /text\/html/);
    assert.match(await home.text(), /href="qr"/);
    const health = (await (await replica.get('/')).json()) as { ok: boolean };
    assert.equal(health.ok, true);
    for (const path of ['/nothing', '/a/b/c', '/qr/', '/api/nothing?x=<script>']) {
      const missing = await replica.get(path, { headers: html });
      assert.equal(missing.status, 404, path);
      assert.match(missing.headers.get('content-security-policy') ?? '', /form-action 'self'/);
      const text = await missing.text();
      assert.match(text, /href="\/"/);
      assert.doesNotMatch(text, /nothing|x=</);
      const asJson = (await (await replica.get(path)).json()) as { error: { code: string } };
      assert.equal(asJson.error.code, 'not_found');
    }
  });

  it('gets JSON from the API all the same', async () => {
    const answer = await replica.get('/api/status', { headers: html });
    assert.match(answer.headers.get('content-type') ?? '', /json/);
    const refused = await replica.get('/api/chats?limit=0', { headers: html });
    assert.match(refused.headers.get('content-type') ?? '', /json/);
  });

  it('without a login is led to the login, and from there to the page that it asked for', async () => {
    const keys = makeKeys();
    const keyed = await startKeyedReplica(server.url, keys);
    try {
      for (const [path, next] of [
        ['/', ''],
        ['/nothing/there', ''],
        ['/docs', 'docs'],
      ] as const) {
        const asked = await keyed.get(path, { redirect: 'manual', headers: html });
        assert.equal(asked.status, 303, path);
        const location = new URL(asked.headers.get('location') ?? '', keyed.url + path).href;
        assert.equal(location, `${keyed.url}/login?next=${next}`);
        const login = await fetch(location, {
          ...{ method: 'POST', redirect: 'manual', body: `key=${encodeURIComponent(keys.key.admin)}` },
          headers: { ...formType, origin: keyed.url },
        });
        const target = new URL(login.headers.get('location') ?? 'x', location).pathname;
        assert.equal(target, next === '' ? '/' : `/${next}`);
      }
    } finally {
      await keyed.close();
    }
  });
});
