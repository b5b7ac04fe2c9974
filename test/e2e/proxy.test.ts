import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chromeArgsVariable } from '../support/chrome-args.js';
import { makeKeyText } from '../support/credentials.js';
import { eventually } from '../support/eventually.js';
import { type ForwardProxy, startForwardProxy } from '../support/forward-proxy.js';
import { allProcesses } from '../support/processes.js';
import type { Product } from '../support/product.js';
import { allValues } from '../support/redis-contents.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { busyMachineTiming, Stage } from '../support/stage.js';

/** The proxy of a session, with a real browser. The host of WhatsApp can be reached through the proxy alone. */

const username = 'ada-of-the-proxy';
const password = 'pa55-of:the proxy';
const secrets = [username, password, ...[username, password, `${username}:${password}`].map(base64)];

let stage: Stage;
let redis: RedisServer;
let proxy: ForwardProxy;
let product: Product;
let environment: Record<string, string>;

before(async () => {
  stage = await Stage.open();
  redis = await startRedis();
  proxy = await startForwardProxy(stage.whatsApp.httpsPort, `${username}:${password}`);
  environment = {
    REDIS_URL: redis.url,
    WHATSAPP_CREDENTIALS_KEY: makeKeyText(),
    WHATSAPP_LOG_LEVEL: 'trace',
    // Without the rule of the stand-in, which leads the browser directly to it. The proxies here are the operator's mistakes.
    WHATSAPP_CHROME_ARGS: chromeArgsVariable([
      ...['--ignore-certificate-errors', '--host-resolver-rules=MAP * ~NOTFOUND'],
      ...['--no-proxy-server', '--proxy-server=http://127.0.0.1:9'],
    ]),
    WHATSAPP_TIMING: JSON.stringify({
      ...busyMachineTiming,
      ...{ backoffBaseMs: 200, backoffMaxMs: 500, pageCheckIntervalMs: 500 },
      ...{ readyGraceMs: 1_000, reconnectDeadlineMs: 3_000 },
    }),
  };
  product = stage.start('all', environment);
});
after(async () => {
  await stage.close();
  await proxy.close();
  await redis.stop();
});

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

async function configure(
  value: object | null,
  session = 'default',
): Promise<{ status: number; body: unknown }> {
  const response = await product.get(`/api/sessions/${session}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ proxy: value }),
  });
  return { status: response.status, body: await response.json() };
}

/** What everybody on this machine may read of the processes, what was logged, and what is in Redis. */
async function everythingReadable(): Promise<string> {
  const marked = new Set((await stage.processes()).map(({ pid }) => pid));
  const commands = allProcesses().flatMap(({ pid, commandLine, environment: variables }) =>
    marked.has(pid) ? [commandLine.join(' '), variables] : [],
  );
  assert.ok(commands.join().includes(proxy.server), 'the control: the proxy is on a command line');
  const answers = await Promise.all(
    ['/api/sessions', '/api/sessions/default', '/api/status', '/health', '/metrics'].map(async (path) =>
      (await product.get(path)).text(),
    ),
  );
  return [...commands, product.output, ...(await allValues(redis.url)), ...answers].join('\n');
}

test('a browser uses the proxy for everything, and logs in to it', async () => {
  const { status, body } = await configure({ server: proxy.server, username, password });
  assert.equal(status, 200);
  assert.deepEqual((body as { proxy: object }).proxy, { server: proxy.server });
  await product.post('/api/auth/start');
  await stage.whatsApp.phone.scanCurrent();
  await product.until((s) => s.ready, 'ready');
  const hosts = new Set(proxy.requests.filter(({ isAccepted }) => isAccepted).map(({ host }) => host));
  assert.ok(hosts.has('web.whatsapp.com:443'), [...hosts].join());
});

test('the login of the proxy is in no answer, log, command line or environment, and only encrypted in Redis', async () => {
  const readable = await everythingReadable();
  for (const secret of secrets) assert.ok(!readable.includes(secret), secret);
});

test('the next browser uses the proxy too, and needs no scan', async () => {
  await product.loginSettled();
  const { incarnation } = await product.status();
  const before = proxy.requests.length;
  await stage.killBrowser();
  await product.until((s) => s.ready && s.incarnation > incarnation, 'ready in another browser');
  assert.ok(proxy.requests.slice(before).some(({ isAccepted }) => isAccepted));
});

test('an unreachable proxy is named, and tried again', async () => {
  await proxy.cut();
  // A page that has loaded goes on trying by itself, and looks connected.
  await stage.killBrowser();
  const { host } = new URL(proxy.server);
  const lost = await product.until(
    (s) => s.last_error?.includes(`the proxy ${host}`) === true,
    'the proxy is named',
  );
  assert.match(
    lost.last_error ?? '',
    /^web\.whatsapp\.com cannot be reached: the proxy [\d.:]+ could not be reached \(ERR_PROXY_CONNECTION_FAILED\)/,
  );
  await proxy.open();
  await product.until((s) => s.ready, 'ready again, without a scan');
});

test('a wrong password is said, and the right one needs no scan', async () => {
  await configure({ server: proxy.server, username, password: 'wr0ng-password' });
  const { incarnation } = await product.status();
  await stage.killBrowser();
  const refused = await product.until(
    (s) => s.last_error?.includes('HTTP 407') === true,
    'the refusal is told',
  );
  const { host } = new URL(proxy.server);
  assert.equal(
    refused.last_error,
    `web.whatsapp.com cannot be reached: the proxy ${host} asks for a user name and a password, or refused them (HTTP 407)`,
  );
  // The session is retried with what is configured then.
  await configure({ server: proxy.server, username, password });
  await product.until((s) => s.ready && s.incarnation > incarnation, 'ready again, without a scan');
  assert.ok(!(await everythingReadable()).includes('wr0ng-password'));
});

test('another credentials key: the session does not start without its proxy, and says why', async () => {
  await product.end('SIGTERM');
  const before = proxy.requests.length;
  product = stage.start('all', { ...environment, WHATSAPP_CREDENTIALS_KEY: makeKeyText() });
  const refused = await product.until(
    (s) => s.last_error?.includes('the proxy') === true,
    'the reason is told',
  );
  assert.match(
    refused.last_error ?? '',
    /^the proxy of the session cannot be used: the password of 127\.0\.0\.1:\d+ is encrypted with a key that is not in WHATSAPP_CREDENTIALS_KEY here \(key id [0-9a-f]{16}\); PUT the proxy again, or null for none$/,
  );
  assert.deepEqual([refused.state, (await stage.browsers()).length], ['disconnected', 0]);
  assert.equal(proxy.requests.length, before);
  // The login is still in the profile, and the proxy opens with the new key.
  await configure({ server: proxy.server, username, password });
  await product.until((s) => s.ready, 'ready again, without a scan');
});

test('a proxy that wants no login needs none, and null takes the proxy away', async () => {
  proxy.login = null;
  await configure({ server: proxy.server });
  await stage.killBrowser();
  const { incarnation } = await product.status();
  await product.until((s) => s.ready && s.incarnation > incarnation, 'ready');
  const { body } = await configure(null);
  assert.equal((body as { proxy: unknown }).proxy, null);
  await stage.killBrowser();
  const direct = await product.until(
    (s) => s.last_error?.includes('cannot be reached') === true,
    'no proxy is used',
  );
  // The operator's flags, which forbid a proxy, are in force again.
  await eventually(async () => (await product.status()).last_error?.includes('through') === false);
  assert.doesNotMatch(direct.last_error ?? '', /proxy/);
});
