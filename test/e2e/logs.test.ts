import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { cookieIn, makeKeys } from '../support/keyed-replica.js';
import type { Product } from '../support/product.js';
import { readQr, Stage } from '../support/stage.js';

/** A whole life at log level trace that uses every kind of secret; then the logs are searched for each of them. */
describe('the logs of a whole session life', () => {
  const keys = makeKeys();
  const credentialsKey = randomBytes(32).toString('base64');
  const secrets = new Map<string, string>();
  let stage: Stage;
  let product: Product;

  before(async () => {
    stage = await Stage.open();
    product = stage.start('all', {
      ...keys.environment,
      WHATSAPP_LOG_LEVEL: 'trace',
      WHATSAPP_CREDENTIALS_KEY: credentialsKey,
    });
  });
  after(() => stage.close());

  const ask = async (path: string, body?: Record<string, unknown>, key = keys.key.admin) => {
    const response = await product.get(path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'x-api-key': key, 'content-type': 'application/json', prefer: 'wait=30' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const untilState = async (wanted: string) => {
    for (let i = 0; i < 600; i++) {
      const { body } = await ask('/api/status');
      if (body.state === wanted) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`never ${wanted}:\n${product.output.slice(-3_000)}`);
  };

  it('contain no key, cookie, link, QR, message, number or encryption key', async () => {
    const url = await product.url();
    for (const [scope, key] of Object.entries(keys.key)) secrets.set(`the key ${scope}`, key);
    secrets.set('the credentials key', credentialsKey);

    // Requests with right and wrong credentials.
    const login = (key: string) =>
      product.get('/login', {
        ...{ method: 'POST', redirect: 'manual', headers: { origin: url, accept: 'text/html' } },
        body: new URLSearchParams({ key }),
      });
    const cookie = cookieIn(await login(keys.key.admin));
    secrets.set('the cookie', cookie.split('=')[1] ?? '');
    secrets.set('a wrong key', 'holdline_a-wrong-key-that-somebody-typed');
    assert.equal((await login('holdline_a-wrong-key-that-somebody-typed')).status, 401);
    assert.equal((await product.get('/api/status?key=in-the-query-of-a-stranger')).status, 401);
    secrets.set('a query', 'in-the-query-of-a-stranger');
    assert.equal((await product.get('/path-of-a-stranger')).status, 401);
    secrets.set('an unknown path', 'path-of-a-stranger');

    // A pairing code voids the QR, so the session begins anew after it.
    await ask('/api/auth/start', {});
    await untilState('qr');
    const pairing = await ask('/api/pairing-code', { phone_number: '4915198765432' });
    secrets.set('the pairing code', String(pairing.body.code));
    secrets.set('the number of the pairing code', '4915198765432');
    await ask('/api/stop', {});

    // A guest sees the code.
    await ask('/api/auth/start', {});
    await untilState('qr');
    const link = String((await ask('/api/qr-links', {})).body.url);
    secrets.set('the link', link.split('/').at(-1) ?? '');
    const guestCookie = cookieIn(await fetch(link, { method: 'POST', redirect: 'manual' }));
    secrets.set('the cookie of a guest', guestCookie.split('=')[1] ?? '');
    const png = Buffer.from(
      await (await product.get('/qr.png', { headers: { cookie: guestCookie } })).arrayBuffer(),
    );
    const code = readQr(png).text ?? '';
    secrets.set('the code', code.split(',')[0] ?? '');
    secrets.set('the image', png.toString('base64').slice(0, 60));

    // Messages in both directions.
    const number = '4915112345678';
    assert.equal((await stage.whatsApp.phone.scan(code)).linked, true);
    await untilState('ready');
    const { body: status } = await ask('/api/status');
    const account = status.account as { wid: string; pushname: string };
    secrets.set('the account', account.wid.split('@')[0] ?? '');
    secrets.set('the recipient', number);
    const sentText = 'a text that nobody else reads';
    secrets.set('a message that was sent', sentText);
    await ask('/api/send', { phone_number: number, message: sentText });
    await ask('/api/chats');
    await ask('/api/messages', { phone_number: number });
    await ask('/mcp', {
      ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
      params: { name: 'whatsapp_send_message', arguments: { phone_number: number, message: sentText } },
    });
    secrets.set('a body that is no JSON', 'half a body');
    await product.get('/api/send', {
      ...{ method: 'POST', headers: { 'x-api-key': keys.key.send, 'content-type': 'application/json' } },
      body: '{"message":"half a body',
    });
    await ask('/api/send', { phone_number: number, message: '', [`secret-${sentText}`]: 1 });

    assert.equal((await ask('/api/logout', {})).status, 200);
    await product.end('SIGTERM');

    const log = product.output;
    assert.match(log, /"path":"\/link\/\{token\}"/, 'the log has the requests');
    assert.match(log, /a browser logged in/);
    assert.match(log, /"pairing code made"/);
    const changes = changesIn(log);
    const states = changes.map(({ to }) => to);
    assert.deepEqual(
      changes.map(({ from }) => from),
      ['stopped', ...states.slice(0, -1)],
      'no change is missing',
    );
    for (const state of ['starting', 'qr', 'authenticated', 'ready'])
      assert.ok(states.includes(state), state);
    const ends = changes.filter(({ to }) => to === 'stopped');
    assert.deepEqual(
      ends.map(({ reason }) => reason),
      ['stop', 'logout'],
    );
    assert.match(log, /"key":"send"/, 'the log may name keys');
    for (const [what, secret] of secrets) {
      assert.ok(secret.length >= 8, `${what} is worth looking for: ${secret}`);
      const at = log.indexOf(secret);
      assert.equal(at, -1, `${what} in ${log.slice(Math.max(0, at - 200), at + 100)}`);
    }
  });
});

/** Each change of the session's state that the log tells. */
function changesIn(log: string): { from: string; to: string; reason?: string }[] {
  const lines = log.split('\n').filter((line) => line.includes('"session state changed"'));
  return lines.map((line) => JSON.parse(line));
}
