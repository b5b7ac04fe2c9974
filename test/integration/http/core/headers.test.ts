import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

describe('the HTTP server', () => {
  let server: RedisForData;
  let replica: Replica;
  let open: Replica;

  before(async () => {
    server = await openRedis();
    replica = await startReplica(server.url);
    open = await startReplica(server.url, {
      environment: { WHATSAPP_ALLOWED_ORIGINS: 'https://app.example.org' },
    });
  });
  after(async () => {
    await Promise.all([replica.close(), open.close()]);
    await server.stop();
  });

  async function assertOriginRefused(response: Response): Promise<void> {
    const { error } = (await response.json()) as { error: { code: string } };
    assert.deepEqual([response.status, error.code], [403, 'origin_not_allowed']);
  }

  it('echoes a request id, or makes one, on successes and refusals', async () => {
    for (const path of ['/api/status', '/nowhere']) {
      const echoed = await replica.get(path, { headers: { 'x-request-id': 'trace-1 2' } });
      assert.equal(echoed.headers.get('x-request-id'), 'trace-1 2');
      const made = await replica.get(path, { headers: { 'x-request-id': 'x'.repeat(129) } });
      assert.match(made.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/);
    }
  });

  it('forbids sniffing, framing, embedding and caching of every answer', async () => {
    for (const path of ['/', '/api/status', '/qr', '/qr.png', '/livez', '/nowhere']) {
      const { headers } = await replica.get(path);
      assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
      assert.equal(headers.get('x-frame-options'), 'DENY');
      assert.match(
        headers.get('content-security-policy') ?? '',
        /default-src 'none'.*frame-ancestors 'none'/,
      );
      // A page with forms: with no-referrer the browser would send no Origin.
      assert.equal(headers.get('referrer-policy'), path === '/qr' ? 'same-origin' : 'no-referrer');
      assert.equal(headers.get('cross-origin-opener-policy'), 'same-origin');
      assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin');
      assert.equal(headers.get('cache-control'), 'no-store');
      assert.equal(headers.get('access-control-allow-origin'), null);
      assert.equal(headers.get('vary'), null);
    }
  });

  it('answers CORS only to allowed origins', async () => {
    const origin = 'https://app.example.org';
    const listed = await open.get('/api/status', { headers: { origin } });
    assert.equal(listed.status, 200);
    assert.equal(listed.headers.get('access-control-allow-origin'), origin);
    assert.equal(listed.headers.get('access-control-allow-credentials'), null);
    assert.match(listed.headers.get('access-control-expose-headers') ?? '', /X-Request-Id/);
    assert.equal(listed.headers.get('vary'), 'Origin');

    const preflight = await open.get('/api/auth/start', {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
    });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers.get('access-control-allow-origin'), origin);
    assert.equal(preflight.headers.get('access-control-allow-methods'), 'POST, OPTIONS');
    assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /Content-Type/);

    const failed = await open.get('/nowhere', { headers: { origin } });
    assert.equal(failed.headers.get('access-control-allow-origin'), origin);

    const stranger = await open.get('/api/status', { headers: { origin: 'http://evil.example' } });
    await assertOriginRefused(stranger);
    assert.equal(stranger.headers.get('access-control-allow-origin'), null);
    assert.equal(stranger.headers.get('vary'), 'Origin');
    assert.equal((await open.get('/api/status')).headers.get('access-control-allow-origin'), null);
  });

  it('refuses cross-site requests of browsers', async () => {
    const headers = { 'sec-fetch-site': 'cross-site' };
    await assertOriginRefused(await replica.post('/api/logout', { headers }));
    await assertOriginRefused(await replica.get('/api/status', { headers }));
    assert.equal((await replica.get('/livez', { headers })).status, 200, 'an open route answers');
  });
});
