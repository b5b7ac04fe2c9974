import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { covers, type Scope, scopes } from '../../../../src/contract/access.js';
import { pathOfSession } from '../../../../src/contract/names.js';
import { type Operation, operations } from '../../../../src/contract/operations.js';
import { createRoutes, type RouteParts } from '../../../../src/http/routes.js';
import { type KeyedReplica, makeKeys, startKeyedReplica } from '../../../support/keyed-replica.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

/** The scope of each route of `default`, written down a second time: a new route fails here until its scope was considered. */
const pinnedOfDefault: Readonly<Record<string, Scope | 'open'>> = {
  ...{ 'GET /': 'read', 'GET /health': 'read', 'GET /api/status': 'read', 'GET /api/jobs/{id}': 'read' },
  ...{
    'GET /api/numbers/{phone_number}': 'read',
    'GET /api/chats': 'read',
    'GET /api/messages': 'read',
    'POST /api/messages': 'read',
  },
  ...{
    'GET /api/events': 'read',
    'POST /mcp': 'read',
    'GET /openapi.json': 'read',
    'GET /docs': 'read',
    'GET /metrics': 'read',
  },
  ...{ 'GET /docs/swagger-ui.css': 'read', 'GET /docs/swagger-ui-bundle.js': 'read' },
  ...{ 'GET /docs/page.css': 'read', 'GET /docs/start.js': 'read', 'POST /signout': 'read' },
  ...{ 'POST /api/send': 'send', 'POST /api/messages/{id}/react': 'send' },
  ...{
    'GET /qr': 'admin',
    'GET /qr-form': 'admin',
    'POST /qr-form': 'admin',
    'GET /qr.png': 'admin',
    'POST /api/auth/start': 'admin',
  },
  ...{ 'POST /api/pairing-code': 'admin', 'POST /api/stop': 'admin', 'POST /api/logout': 'admin' },
  ...{
    'GET /api/auth/passkey': 'admin',
    'POST /api/auth/passkey/answer': 'admin',
    'POST /api/auth/passkey/confirm': 'admin',
    'POST /api/auth/passkey/retry': 'admin',
    'POST /api/auth/passkey/cancel': 'admin',
  },
  ...{ 'GET /livez': 'open', 'GET /readyz': 'open', 'GET /login': 'open', 'POST /login': 'open' },
  ...{ 'GET /link/{token}': 'open', 'POST /link/{token}': 'open' },
};

const pinnedOfDeployment: Readonly<Record<string, Scope>> = {
  ...{ 'GET /api/supervisors': 'admin' },
  ...{ 'POST /api/keys': 'admin', 'GET /api/keys': 'admin', 'DELETE /api/keys/{name}': 'admin' },
  ...{ 'GET /api/sessions': 'read', 'GET /api/sessions/{session}': 'read' },
  ...{ 'PUT /api/sessions/{session}': 'admin', 'DELETE /api/sessions/{session}': 'admin' },
  ...{ 'POST /api/qr-links': 'admin', 'POST /api/sessions/{session}/qr-links': 'admin' },
};

/** Those that exist for `default` alone, or for no session. */
const atOnePath =
  /^\w+ (?:\/|\/health|\/mcp|\/openapi.json|\/docs.*|\/metrics|\/livez|\/readyz|\/log\w+|\/signout|\/link\/.*)$/;

/** A route of any session has the scope of that of `default`. */
const ofSessions = Object.entries(pinnedOfDefault)
  .filter(([name]) => !atOnePath.test(name))
  .map(([name, scope]) => {
    const [method = '', path = ''] = name.split(' ');
    return [`${method} ${pathOfSession('{session}', path)}`, scope] as const;
  });
const pinned: Readonly<Record<string, Scope | 'open'>> = {
  ...pinnedOfDefault,
  ...pinnedOfDeployment,
  ...Object.fromEntries(ofSessions),
};
const forGuests = ['GET /qr', 'GET /qr.png', 'GET /api/events'];

const routes = createRoutes({ handlers: {} } as RouteParts);
const nameOf = ({ method, path }: { method: string; path: string }) => `${method} ${path}`;

describe('the scope of each route', () => {
  const keys = makeKeys();
  let server: RedisForData;
  let replica: KeyedReplica;
  let loginCookies: Readonly<Record<Scope, string>>;
  let guestCookie: string;

  before(async () => {
    server = await openRedis();
    replica = await startKeyedReplica(server.url, keys);
    const [read = '', send = '', admin = ''] = await Promise.all(
      scopes.map((scope) => replica.cookieOf(keys.key[scope])),
    );
    loginCookies = { read, send, admin };
    guestCookie = await replica.guestCookie();
  });
  after(async () => {
    await replica.close();
    await server.stop();
  });

  it('is written down for every existing route, and for no other', () => {
    assert.deepEqual(routes.map(nameOf).sort(), Object.keys(pinned).sort());
    for (const route of routes) assert.equal(route.scope, pinned[nameOf(route)], nameOf(route));
  });

  /** Every request is invalid beyond authorization: nothing starts, sends or ends. */
  async function codeOf(route: (typeof routes)[number], headers: Record<string, string>): Promise<string> {
    const response = await replica.get(`${route.path.replaceAll(/\{\w+\}/g, 'x')}?types=nonsense`, {
      method: route.method,
      redirect: 'manual',
      headers: { 'content-type': 'application/json', ...headers },
      ...(['POST', 'PUT'].includes(route.method) ? { body: '{"nonsense":' } : {}),
    });
    const text = await response.text();
    const isError = response.headers.get('content-type')?.startsWith('application/json') && !response.ok;
    return isError && text.includes('"error":{"code"') ? JSON.parse(text).error.code : `${response.status}`;
  }
  const isRefused = (code: string) => ['unauthorized', 'forbidden'].includes(code);

  for (const route of routes) {
    const needed = pinned[nameOf(route)] ?? 'admin';
    if (needed === 'open') {
      it(`${nameOf(route)} needs no key`, async () => {
        const wrong = { authorization: 'Bearer holdline_wrong' };
        for (const headers of [{}, wrong]) assert.ok(!isRefused(await codeOf(route, headers)));
      });
      continue;
    }

    it(`${nameOf(route)} accepts ${needed} and every scope that includes it, and refuses all others`, async () => {
      for (const headers of [{}, { authorization: 'Bearer holdline_wrong' }, { 'x-api-key': '' }]) {
        assert.equal(await codeOf(route, headers as Record<string, string>), 'unauthorized');
      }
      for (const scope of scopes) {
        const origin = { origin: replica.url };
        const ways: Record<string, string>[] = [
          { authorization: `Bearer ${keys.key[scope]}` },
          { 'x-api-key': keys.key[scope] },
          ...(route.path === '/signout' ? [] : [{ cookie: loginCookies[scope], ...origin }]),
        ];
        for (const headers of ways) {
          const code = await codeOf(route, headers);
          if (covers(scope, needed)) assert.ok(!isRefused(code), `${scope}: ${code}`);
          else assert.equal(code, 'forbidden', scope);
        }
      }
      const asGuest = await codeOf(route, { cookie: guestCookie, origin: replica.url });
      if (forGuests.includes(nameOf(route))) assert.ok(!isRefused(asGuest), asGuest);
      // A guest of `default` is nobody at another session.
      else assert.equal(asGuest, route.path.includes('{session}') ? 'unauthorized' : 'forbidden', 'a guest');
    });
  }

  for (const { tool, scope: needed } of Object.values(operations) as Operation[]) {
    if (tool === null) continue;
    it(`the tool ${tool.name} accepts ${needed}, as its route does`, async () => {
      for (const scope of scopes) {
        const response = await replica.ask(keys.key[scope], '/mcp', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({
            ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
            params: { name: tool.name, arguments: { nonsense: true } },
          }),
        });
        const { result } = (await response.json()) as {
          result: { isError?: boolean; content: { text: string }[] };
        };
        assert.equal(result.isError, true);
        const text = result.content[0]?.text ?? '';
        assert.match(text, covers(scope, needed) ? /\(invalid_request\)/ : /\(forbidden\)/, scope);
      }
    });
  }

  it('is checked before the body is read, and the caller before the path', async () => {
    const body = 'x'.repeat(2 * 1024 * 1024);
    const everything = { method: 'POST', body, headers: { 'content-type': 'text/plain' } };
    assert.equal((await replica.get('/nowhere')).status, 401);
    assert.equal((await replica.get('/nowhere', { headers: { origin: 'http://evil.example' } })).status, 403);
    assert.equal((await replica.ask(keys.key.read, '/nowhere')).status, 404);
    const refused = await replica.ask(keys.key.read, '/api/stop', { ...everything, method: 'PUT' });
    assert.equal(refused.status, 405);
    const small = { ...everything, body: 'x' };
    assert.equal((await replica.ask(keys.key.read, '/api/stop', small)).status, 403);
    assert.equal((await replica.ask(keys.key.admin, '/api/stop', small)).status, 415);
    const unknown = await replica.get('/api/status');
    assert.match(unknown.headers.get('www-authenticate') ?? '', /^Bearer/);
    assert.equal((await replica.get('/api/status', { method: 'OPTIONS' })).status, 204, 'as browsers ask');
  });
});
