import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

interface Document extends Record<string, unknown> {
  readonly openapi: string;
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Record<string, Record<string, unknown>>;
}

describe('the OpenAPI document and its page, as served', () => {
  let server: RedisForData;
  let replica: Replica;
  let behindProxy: Replica;
  let document: Document;

  before(async () => {
    server = await openRedis();
    replica = await startReplica(server.url);
    behindProxy = await startReplica(server.url, {
      environment: { WHATSAPP_PUBLIC_URL: 'https://wa.example.org/hold/' },
    });
    document = await read(replica);
  });
  after(async () => {
    await Promise.all([replica.close(), behindProxy.close()]);
    await server.stop();
  });

  async function read(from: Replica, init?: RequestInit): Promise<Document> {
    const response = await from.get('/openapi.json', init);
    assert.equal(response.headers.get('content-type'), 'application/json; charset=utf-8');
    return (await response.json()) as Document;
  }

  it('is valid, and names the server of the request', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document));
    assert.ok(valid, JSON.stringify(errors));
    assert.deepEqual(document.servers, [{ url: replica.url }]);
    const public_ = await read(behindProxy);
    assert.deepEqual(public_.servers, [{ url: 'https://wa.example.org/hold' }]);
    assert.deepEqual(public_.paths, document.paths, 'the rest is the same');
  });

  it('describes exactly the methods that each path answers', async () => {
    for (const [path, item] of Object.entries(document.paths)) {
      const options = await replica.get(path.replaceAll(/\{\w+\}/g, 'x'), { method: 'OPTIONS' });
      assert.equal(options.status, 204, path);
      const allowed = (options.headers.get('allow') ?? '')
        .split(', ')
        .filter((method) => /GET|POST|PUT|DELETE/.test(method));
      assert.deepEqual(
        Object.keys(item).map((method) => method.toUpperCase()),
        allowed,
        path,
      );
    }
  });

  it('has a page whose files are cached for ever and which runs no other script', async () => {
    const page = await replica.get('/docs');
    assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
    assert.equal(page.headers.get('cache-control'), 'no-store');
    const policy = page.headers.get('content-security-policy') ?? '';
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
    assert.ok(!policy.includes('unsafe'));
    const urls = [...(await page.text()).matchAll(/(?:href|src)="(docs\/[^"]+)"/g)].map(([, url]) => url);
    assert.equal(urls.length, 4);
    for (const url of urls) {
      const file = await replica.get(`/${url}`);
      assert.equal(file.status, 200, url);
      assert.match(file.headers.get('content-type') ?? '', /^text\/(css|javascript); charset=utf-8$/);
      assert.equal(file.headers.get('cache-control'), 'public, max-age=31536000, immutable');
      assert.match(url ?? '', /\?v=[0-9a-f.]+$/, 'the URL has the version');
      assert.ok((await file.text()).length > 100);
    }
  });

  for (const path of [
    ...['/docs/', '/docs/index.html', '/docs/swagger-initializer.js', '/docs/package.json'],
    ...['/docs/swagger-ui.css.map', '/docs/..%2fpackage.json', '/docs/../package.json', '/docs/%2e%2e/x'],
  ]) {
    it(`there is nothing at ${path}`, async () => {
      assert.equal((await replica.get(path)).status, 404);
    });
  }
});
