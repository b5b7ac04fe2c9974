import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { covers, type Scope, scopes } from '../../../../src/contract/access.js';
import { bounds } from '../../../../src/contract/bounds.js';
import {
  apiKeysKey,
  loginKey,
  registerCheckedKey,
  registerKey,
  sessionKeys,
  supervisorsKey,
} from '../../../../src/contract/keys.js';
import { isOfDeployment, type Operation, rows } from '../../../../src/contract/operations.js';
import { noRoomSentence } from '../../../../src/contract/places.js';
import { createRoutes, type RouteParts } from '../../../../src/http/routes.js';
import { newApiKey } from '../../../../src/platform/api-key.js';
import { sha256Hex } from '../../../../src/platform/digest.js';
import { noteRegisterChecked } from '../../../../src/platform/store/session-register.js';
import {
  registerSupervisor,
  type SupervisorFacts,
} from '../../../../src/platform/store/supervisor-registry.js';
import { listenToEvents } from '../../../support/event-client.js';
import { claimToWrite, type EventWriter } from '../../../support/event-writer.js';
import { eventually } from '../../../support/eventually.js';
import { linkedAccount } from '../../../support/held-session.js';
import { type KeyedReplica, makeKeys, startKeyedReplica } from '../../../support/keyed-replica.js';
import { type RedisServer, startRedis } from '../../../support/redis-server.js';
import { supervisorFacts } from '../../../support/supervisor-facts.js';

/**
 * A key that is bound to a session cannot learn that another one exists. Every route is asked, with every kind of bound key, in two
 * deployments: in one, sessions of other people run; the other is empty. The answers and the commands to Redis must be the same.
 */

const routes = createRoutes({ handlers: {} } as RouteParts);
type Route = (typeof routes)[number];
const nameOf = ({ method, path }: Route) => `${method} ${path}`;
/** They take a session as an argument, or tell of all that the caller may reach. */
const ofAll = new Set(['/mcp', '/api/sessions']);
const takesSession = (route: Route) => route.path.includes('{session}');

/** Sessions of other people, in one of the deployments. */
const others = ['default', 'there'];
const secret = 'a message to somebody else';
const ownMessage = 'a message to the session of the key';

interface Request {
  readonly path: string;
  readonly init: RequestInit;
}

/** Everything a caller gets, without what differs between two requests by itself. */
interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  readonly commands: readonly string[];
}

class Deployment {
  readonly server: RedisServer;
  readonly redis: Redis;
  readonly replica: KeyedReplica;
  readonly writers: readonly EventWriter[];
  /** Of the caller's own session. */
  readonly own: EventWriter;
  readonly #monitor: Redis;
  #commands: string[] = [];
  #onMark: (() => void) | null = null;

  private constructor(
    server: RedisServer,
    redis: Redis,
    replica: KeyedReplica,
    writers: readonly EventWriter[],
    own: EventWriter,
    monitor: Redis,
  ) {
    this.server = server;
    this.redis = redis;
    this.replica = replica;
    this.writers = writers;
    this.own = own;
    this.#monitor = monitor;
    monitor.on('monitor', (_time: string, [name = '', ...words]: string[]) => {
      if (/^echo$/i.test(name)) this.#onMark?.();
      // Not the wait that notices when a master becomes a replica.
      else if (!/^bzpopmin$/i.test(name)) this.#commands.push([name, ...words].join(' '));
    });
  }

  static async start(keys: ReturnType<typeof makeKeys>, sessions: readonly string[]): Promise<Deployment> {
    const server = await startRedis();
    const redis = new Redis(server.url);
    const replica = await startKeyedReplica(server.url, keys, { feedTuning: { lingerMs: 50 } });
    const writers = await Promise.all(
      sessions.map(async (session) => {
        const made = await replica.ask(keys.key.admin, `/api/sessions/${session}`, { method: 'PUT' });
        assert.equal(made.status, session === 'default' ? 200 : 201);
        const writer = await claimToWrite(redis, session);
        await writer.publish({ state: 'ready', account: linkedAccount });
        await writer.messages(secret);
        return writer;
      }),
    );
    // So that both know the scripts of the register.
    for (const path of ['/api/sessions', '/api/sessions/default', '/api/sessions/nobody/status'])
      await replica.ask(keys.key.admin, path);
    const own = await claimToWrite(redis, 'own');
    return new Deployment(server, redis, replica, writers, own, await redis.monitor());
  }

  async close(): Promise<void> {
    await this.replica.close();
    this.#monitor.disconnect();
    this.redis.disconnect();
    await this.server.stop();
  }

  /** Sends the request alone, and waits until the monitor has told all that it made Redis do. */
  async ask({ path, init }: Request): Promise<Answer> {
    await this.#settle();
    const leaving = new AbortController();
    const headers = { 'x-request-id': 'same', origin: this.replica.url, ...init.headers };
    const response = await this.replica.get(path, {
      ...{ ...init, headers, redirect: 'manual' },
      signal: AbortSignal.any([leaving.signal, AbortSignal.timeout(30_000)]),
    });
    const isStream = response.headers.get('content-type') === 'text/event-stream' && response.ok;
    const body = isStream ? await this.#streamed(response) : await response.text();
    leaving.abort();
    const commands = await this.#settle();
    const local = (text: string) => text.replaceAll(this.replica.url, 'http://here');
    return {
      status: response.status,
      headers: [...response.headers]
        .filter(([name]) => !['date', 'mcp-session-id'].includes(name))
        .map(([name, value]) => [name, local(value)] as const),
      body: local(body),
      // The commands of a stream come in their own time.
      commands: isStream ? [] : commands,
    };
  }

  /** The events that a stream tells, up to one of the caller's own session that comes after those of the others. */
  async #streamed(response: Response): Promise<string> {
    for (const writer of this.writers) await writer.messages(secret);
    await this.own.messages(ownMessage);
    let text = '';
    for await (const piece of response.body ?? []) {
      text += Buffer.from(piece).toString();
      if (text.includes(ownMessage)) break;
    }
    assert.ok(text.includes(ownMessage), text);
    // Ids and times differ.
    return [...text.matchAll(/"session":"[^"]*"|"body":"[^"]*"/g)].join();
  }

  /** Resolves to the commands since the last call. */
  async #settle(): Promise<string[]> {
    const isTold = new Promise<void>((resolve) => {
      this.#onMark = resolve;
    });
    await this.redis.echo('mark');
    await isTold;
    return this.#commands.splice(0);
  }
}

describe('a key that is bound to a session', () => {
  const keys = makeKeys();
  const configured = scopes.map((scope) => ({ scope, ...newApiKey(`own-${scope}`, scope, ['own']) }));
  const able = newApiKey('able', 'admin', ['default']);
  const entries = [...configured, able].map(({ entry }) => entry);
  const environment = { WHATSAPP_API_KEYS: [keys.environment.WHATSAPP_API_KEYS, ...entries].join(',') };
  let full: Deployment;
  let empty: Deployment;
  let jobId = '';
  /** Every way to be a bound caller, by its scope. */
  const callers: { readonly scope: Scope; readonly headers: Record<string, string> }[] = [];

  before(async () => {
    const all = { ...keys, environment };
    [full, empty] = await Promise.all([Deployment.start(all, others), Deployment.start(all, [])]);
    const sent = await full.replica.ask(keys.key.admin, '/api/send', {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer: 'respond-async' },
      body: JSON.stringify({ phone_number: '+15551234567', message: secret }),
    });
    await full.redis.zadd(supervisorsKey, Date.now() + 600_000, 'a-supervisor');
    jobId = ((await sent.json()) as { id: string }).id;
    assert.match(jobId, /^m-/);
    for (const { scope, key } of configured) callers.push(...(await callersWith(scope, key)));
    for (const scope of scopes) {
      const body = JSON.stringify({ name: `made-${scope}`, scope, sessions: ['own'] });
      const headers = { 'content-type': 'application/json' };
      const made = await full.replica.ask(keys.key.admin, '/api/keys', { method: 'POST', headers, body });
      const { key } = (await made.json()) as { key: string };
      await empty.redis.hset(
        apiKeysKey,
        sha256Hex(key),
        (await full.redis.hget(apiKeysKey, sha256Hex(key))) ?? '',
      );
      callers.push(...(await callersWith(scope, key)));
    }
  });
  after(() => Promise.all([full.close(), empty.close()]));

  /** The key, and for an admin a login with it that both deployments know. */
  async function callersWith(scope: Scope, key: string): Promise<typeof callers> {
    const byKey = { scope, headers: { authorization: `Bearer ${key}` } };
    if (scope !== 'admin') return [byKey];
    const cookie = await full.replica.cookieOf(key);
    // So that both know the scripts of a login.
    await empty.replica.cookieOf(configured[0]?.key ?? '');
    const login = loginKey(sha256Hex(cookie.split('=')[1] ?? ''));
    await empty.redis.set(login, (await full.redis.get(login)) ?? '', 'EX', 600);
    return [byKey, { scope, headers: { cookie } }];
  }

  /** Requests of the route that would reach the other sessions: right ones and wrong ones, by path and by argument. */
  function requestsOf(route: Route, headers: Record<string, string>, session = 'there'): Request[] {
    const operation = rows.find(([, { routes: own }]) =>
      own.some(({ method, path }) => method === route.method && route.path.endsWith(path)),
    )?.[1];
    const example = (operation?.example.input ?? {}) as Record<string, unknown>;
    const path = route.path.replaceAll(/\{(\w+)\}/g, (_, name) => {
      if (name === 'session') return session;
      return encodeURIComponent(name === 'id' ? jobId : String(example[name] ?? 'x'));
    });
    const fields = Object.entries(example).filter(([name]) => !route.path.includes(`{${name}}`));
    if (route.method === 'GET' || route.method === 'DELETE') {
      const query = new URLSearchParams(
        fields.map(([name, value]): [string, string] => [name, String(value)]),
      );
      if (route.path.startsWith('/docs')) return [{ path, init: { method: route.method, headers } }];
      const queries = ['', `?${query}`, `?session=${session}&sessions=${session}&do=code`, '?sessions=*'];
      return queries.map((search) => ({ path: path + search, init: { method: route.method, headers } }));
    }
    const json = { ...headers, 'content-type': 'application/json' };
    const post = (body: string, type = json): Request => ({
      path,
      init: { method: route.method, headers: type, body },
    });
    if (route.path.endsWith('/mcp')) return toolCalls(session).map((call) => post(JSON.stringify(call)));
    return [
      post(JSON.stringify(Object.fromEntries(fields))),
      post(JSON.stringify({ ...Object.fromEntries(fields), session, sessions: [session] })),
      post('{"nonsense":'),
      post(`do=stop&session=${session}`, { ...headers, 'content-type': 'application/x-www-form-urlencoded' }),
    ];
  }

  async function assertSame(request: Request): Promise<Answer> {
    const [told, untold] = [await full.ask(request), await empty.ask(request)];
    const what = `${request.init.method} ${request.path} ${request.init.body ?? ''}`;
    assert.deepEqual(told, untold, what);
    assert.ok(!told.body.includes(secret), what);
    return told;
  }

  const ofSession = new Set(
    rows.flatMap(([name, { routes: own }]) =>
      isOfDeployment(name) ? [] : own.map(({ method, path }) => `${method} ${path}`),
    ),
  );
  for (const page of ['/qr', '/qr-form', '/qr.png', '/api/events']) ofSession.add(`GET ${page}`);
  ofSession.add('POST /qr-form');

  for (const route of routes) {
    it(`learns of no other session from ${nameOf(route)}`, async () => {
      // An open route does not ask who calls.
      for (const { scope, headers } of route.scope === 'open' ? callers.slice(0, 1) : callers) {
        // It would end the login of the cookie.
        if (route.path === '/signout' && headers.cookie !== undefined) continue;
        for (const request of requestsOf(route, headers)) {
          const { status, body, commands } = await assertSame(request);
          if (!ofSession.has(nameOf(route)) && !takesSession(route)) continue;
          // A stream of all that the key may reach; and a parameter that this path does not take.
          if (route.path.endsWith('/events') && request.path.includes('sessions=')) continue;
          const isAllowed = route.scope === 'open' || covers(scope, route.scope);
          assert.equal(status, isAllowed ? 404 : 403, body);
          // A login is looked up with the account of the session in the path.
          const looked = commands.filter((command) => !/^hget \{wa\}:api-keys \w+$/i.test(command));
          if (headers.cookie === undefined) assert.deepEqual(looked, [], 'nothing is looked up for it');
          assert.match(body, isAllowed ? /"code":"session_not_found"/ : /"code":"forbidden"/);
        }
      }
    });
  }

  it('is refused what is about all sessions, whatever its scope', async () => {
    const forUnbound = routes.filter(({ isForUnbound }) => isForUnbound).map(nameOf);
    const keyPaths = ['DELETE /api/keys/{name}', 'GET /api/keys', 'POST /api/keys'];
    const wanted = [...keyPaths, 'GET /api/supervisors', 'GET /metrics'];
    for (const name of wanted) assert.ok(forUnbound.includes(name), name);
    const { headers } = callers.find(({ scope }) => scope === 'admin') ?? assert.fail();
    for (const route of routes.filter(({ isForUnbound }) => isForUnbound)) {
      for (const request of requestsOf(route, headers)) assert.equal((await full.ask(request)).status, 403);
    }
  });

  it('reaches its own session', async () => {
    const headers = { authorization: `Bearer ${able.key}` };
    for (const path of ['/api/status', `/api/jobs/${jobId}`, '/qr', '/health', '/api/auth/passkey']) {
      const { status } = await full.ask({ path, init: { method: 'GET', headers } });
      assert.equal(status, path === '/api/auth/passkey' ? 404 : 200, path);
    }
    const { body } = await full.ask({ path: '/api/auth/passkey', init: { method: 'GET', headers } });
    assert.match(body, /passkey_not_pending/, 'it is an operator for its own session');
  });

  it('gets the same answer about its own session that is missing, also while Redis may have lost it', async () => {
    const ofOwn: Request = {
      path: '/api/sessions/own/status',
      init: { method: 'GET', headers: callers[0]?.headers ?? {} },
    };
    for (const { redis } of [full, empty]) await noteRegisterChecked(redis);
    assert.equal((await assertSame(ofOwn)).status, 404);
    for (const { redis } of [full, empty]) await redis.del(registerCheckedKey);
    assert.equal((await assertSame(ofOwn)).status, 503);
    for (const { redis } of [full, empty]) await noteRegisterChecked(redis);
    assert.equal((await assertSame(ofOwn)).status, 404);
  });

  it('is told that there is no room, and not for how many sessions', async () => {
    const { redis, replica } = full;
    const headers = callers.find(({ headers: { cookie } }) => cookie !== undefined)?.headers ?? assert.fail();
    const k = sessionKeys('own');
    await full.own.publish({ state: 'ready', account: linkedAccount });
    await registerSupervisor(redis, 'a-supervisor', supervisorFacts(0, 9), 600_000);
    await replica.ask(keys.key.admin, '/api/sessions/own', { method: 'PUT' });
    const follow = (by: Record<string, string>) =>
      listenToEvents(replica.url, { path: '/api/sessions/own/events', headers: by });
    const unbound = await follow({ authorization: `Bearer ${keys.key.admin}` });
    const bound = await follow(headers);
    await redis.unlink(k.lock, k.heartbeat);
    const ask = async (method: string, path: string, json: object | null = null, accept = '*/*') => {
      const body = json === null ? {} : { body: JSON.stringify(json) };
      const type = { 'content-type': 'application/json', prefer: 'wait=0' };
      const init = { method, ...body, headers: { accept, origin: replica.url, ...type, ...headers } };
      return (await replica.get(path, init)).text();
    };
    const told = [
      await ask('PUT', '/api/sessions/own', { start: true }),
      await ask('POST', '/api/sessions/own/auth/start', {}),
      await ask('GET', '/api/sessions/own/status'),
      await ask('GET', '/api/sessions/own'),
      await ask('GET', '/api/sessions'),
      await ask('GET', '/sessions/own/qr', null, 'text/html'),
      await ask(
        'POST',
        '/mcp',
        toolCall('whatsapp_status', { session: 'own' }),
        'application/json, text/event-stream',
      ),
    ];
    await eventually(() => bound.text.includes(noRoomSentence) && unbound.text.includes('9 sessions of 9'));
    told.push(bound.text);
    for (const client of [bound, unbound]) client.close();
    for (const text of told) {
      assert.ok(text.includes(noRoomSentence), text);
      assert.doesNotMatch(text, /every supervisor|\d sessions|another one/);
    }
    const seen = await replica.ask(keys.key.admin, '/api/sessions/own/status');
    assert.match(await seen.text(), /every supervisor is full: 9 sessions of 9/);
  });

  it('is told that no session can be made, and not how many there are', async () => {
    const { redis, replica } = full;
    await redis.hdel(registerKey, 'own');
    const many = Array.from({ length: bounds.sessions }, (_, n) => [`s-${n}`, '{}']);
    await redis.hset(registerKey, Object.fromEntries(many));
    const init = { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{}' };
    const refused = async (key: string) => {
      const response = await replica.ask(key, '/api/sessions/own', init);
      const { error } = (await response.json()) as { error: { code: string; message: string } };
      assert.deepEqual([response.status, error.code], [409, 'too_many_sessions']);
      return error.message;
    };
    const own = configured.find(({ scope }) => scope === 'admin')?.key ?? '';
    assert.match(
      await refused(own),
      /^there is no room for a further session now; ask whoever runs the server$/,
    );
    assert.match(await refused(keys.key.admin), /there are 10000 sessions/);
    await redis.hdel(registerKey, ...many.map(([name = '']) => name));
  });

  it('is the only one for whom the two deployments are alike: an unbound key sees the difference', async () => {
    const headers = { authorization: `Bearer ${keys.key.admin}` };
    for (const path of ['/', '/health', '/api/status', `/api/jobs/${jobId}`, '/qr', '/metrics']) {
      const request = { path, init: { method: 'GET', headers } };
      const [told, untold] = [await full.ask(request), await empty.ask(request)];
      assert.notEqual(told.body, untold.body, path);
    }
  });

  describe('whose session waits for a start', () => {
    let replica: KeyedReplica;
    before(async () => {
      const unlimited = { ...environment, WHATSAPP_RATE_LIMIT: '0' };
      replica = await startKeyedReplica(full.server.url, { ...keys, environment: unlimited });
      // A tool that is called without a session is for this one. With an owner, its end would be waited for.
      const k = sessionKeys('default');
      await full.redis.unlink(k.lock);
      await full.redis.set(k.heartbeat, 'ended');
    });
    after(() => replica.close());

    /** Makes the session wait, then asks. The places of the supervisors say what it waits for. */
    async function answerTo({ path, init }: Request, session: string, places: SupervisorFacts) {
      const k = sessionKeys(session);
      await registerSupervisor(full.redis, 'a-supervisor', places, 600_000);
      const made = await replica.ask(keys.key.admin, `/api/sessions/${session}`, { method: 'PUT' });
      await full.redis.unlink(k.lock);
      await full.redis.set(k.heartbeat, 'ended');
      const start = { method: 'POST', headers: { prefer: 'wait=0' } };
      const started = await replica.ask(keys.key.admin, `/api/sessions/${session}/auth/start`, start);
      assert.ok(made.ok && started.ok);
      const headers = { origin: replica.url, prefer: 'wait=0', ...init.headers };
      const response = await replica.get(path, { ...init, headers, redirect: 'manual' });
      return { status: response.status, body: await response.text() };
    }

    const waits = [
      { why: 'every supervisor is full', places: supervisorFacts(0, 9), isOnPage: true },
      { why: 'the start waits for its turn', places: supervisorFacts(2, 7, 0), isOnPage: false },
    ];
    for (const session of ['own', 'default']) {
      for (const { why, places, isOnPage } of waits) {
        it(`learns from no answer that ${why}: ${session}`, async () => {
          const told = new Set<string>();
          for (const route of routes) {
            // Streams have their own test. The paths without a session are those of default.
            const isAsked = session === 'default' || takesSession(route) || ofAll.has(route.path);
            if (route.path.endsWith('/events') || !isAsked) continue;
            const [toAll = [], toBound = []] = [
              keys.key.admin,
              session === 'own' ? adminKey() : able.key,
            ].map((key) => {
              const authorization = `Bearer ${key}`;
              const accept = 'text/html';
              const asked: Record<string, string>[] = [{ authorization }, { authorization, accept }];
              return asked.flatMap((headers) => requestsOf(route, headers, session));
            });
            for (const [i, request] of toAll.entries()) {
              const whole = await answerTo(request, session, places);
              const { status, body } = await answerTo(toBound[i] ?? assert.fail(), session, places);
              const what = `${nameOf(route)} ${request.init.body ?? ''} ${status} ${body.slice(0, 2_000)}`;
              assert.ok(!waits.some((wait) => body.includes(wait.why)), what);
              if (!whole.body.includes(why) || status === 403) continue;
              assert.ok(body.includes(noRoomSentence), what);
              told.add(nameOf(route));
            }
          }
          const wanted = [
            ...[
              'GET /api/sessions',
              'GET /api/sessions/{session}',
              'PUT /api/sessions/{session}',
              'POST /mcp',
            ],
            ...['GET /api/sessions/{session}/status', 'POST /api/sessions/{session}/auth/start'],
            ...(isOnPage ? ['GET /sessions/{session}/qr'] : []),
          ];
          if (session === 'default') {
            wanted.push('GET /', 'GET /health', 'GET /api/status', 'POST /api/auth/start');
            if (isOnPage) wanted.push('GET /qr');
          }
          assert.deepEqual([...told].sort(), wanted.sort());
        });
      }
    }

    function adminKey(): string {
      return configured.find(({ scope }) => scope === 'admin')?.key ?? assert.fail();
    }
  });
});

/** Each tool with right arguments, with those and a session, and the list of tools. */
function toolCalls(session: string): object[] {
  const calls = rows.flatMap(([, { tool, example }]: [string, Operation]) => {
    if (tool === null) return [];
    const given = example.input as object;
    return [given, { ...given, session }].map((input) => toolCall(tool.name, input));
  });
  return [call('tools/list', {}), ...calls];
}

function toolCall(name: string, input: object): object {
  return call('tools/call', { name, arguments: input });
}

function call(method: string, params: object): object {
  return { jsonrpc: '2.0', id: 1, method, params };
}
