import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, afterEach, before, describe, it } from 'node:test';
import { sessionKeys } from '../../../../src/contract/keys.js';
import { operations } from '../../../../src/contract/operations.js';
import { html } from '../../../../src/http/pages/html.js';
import { type CommandStage, startCommandStage } from '../../../support/command-stage.js';
import { startReplica } from '../../../support/http-replica.js';
import { type KeyedReplica, makeKeys, startKeyedReplica } from '../../../support/keyed-replica.js';

const path = '/api/auth/passkey';
const k = sessionKeys('default');
const { options, code: _code, ...asked } = operations.passkey.example.output;
const { id } = asked;
const json = { 'content-type': 'application/json' };

type Answer = { status: number; body: Record<string, unknown> & { error?: Refusal } };
type Refusal = { code: string; message: string; issues?: { path: string; message: string }[] };

describe('the operations about a passkey', () => {
  let stage: CommandStage;
  let keyed: KeyedReplica;
  const keys = makeKeys();

  before(async () => {
    stage = await startCommandStage();
    keyed = await startKeyedReplica(stage.server.url, keys);
  });
  afterEach(() => stage.clear());
  after(async () => {
    await keyed.close();
    await stage.close();
  });

  /** A session that WhatsApp asks for a passkey, as its owner stores it. */
  async function askForPasskey(open: string): Promise<void> {
    const { run } = await stage.held();
    await run.publish('passkey_required');
    const status = JSON.parse((await stage.redis.get(k.state)) ?? '');
    await stage.redis.set(k.state, JSON.stringify({ ...status, passkey: asked }));
    await stage.redis.set(k.passkey, open);
  }

  /** With headers that `fetch` would not send. */
  function askRaw(headers: Record<string, string>): Promise<number> {
    return new Promise((resolve, reject) => {
      const sent = request(stage.replica.url + path, { headers, agent: false }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0));
      });
      sent.on('error', reject).end();
    });
  }

  async function answerOf(response: Response): Promise<Answer> {
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  }

  async function post(step: string, body: unknown): Promise<Answer> {
    const init = { headers: json, body: JSON.stringify(body) };
    return answerOf(await stage.replica.post(`${path}/${step}`, init));
  }

  it('are for keys with the scope admin, and not for guests', async () => {
    assert.equal((await keyed.ask(keys.key.admin, path)).status, 404);
    assert.equal((await keyed.ask(keys.key.send, path)).status, 403);
    assert.equal((await keyed.ask(keys.key.read, path)).status, 403);
    const guest = { cookie: await keyed.guestCookie(), origin: keyed.url };
    assert.equal((await keyed.get(path, { headers: guest })).status, 403);
    const proxied = { headers: { 'x-forwarded-for': '192.0.2.1' } };
    assert.equal((await keyed.ask(keys.key.admin, path, proxied)).status, 404, 'a key is enough');
  });

  it('are without keys for requests of this machine that no proxy passed on', async () => {
    assert.equal(await askRaw({}), 404);
    const proxies = { forwarded: 'for=192.0.2.1', via: '1.1 proxy', 'x-real-ip': '192.0.2.1' };
    const forwarded = { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'https' };
    const others = [
      'x-original-host',
      'x-envoy-external-address',
      'x-cluster-client-ip',
      'cf-ray',
      'fly-client-ip',
    ];
    const named = Object.fromEntries(others.map((name) => [name, 'x']));
    for (const [name, value] of Object.entries({ ...proxies, ...forwarded, ...named })) {
      assert.equal(await askRaw({ [name]: value }), 403, name);
    }
    assert.equal(await askRaw({ host: 'gateway.example' }), 403);
    assert.equal(await askRaw({ referer: 'https://gateway.example/qr' }), 403);
  });

  it('are without keys not for a proxy that speaks HTTP/1.0 and hides that it is one', async () => {
    const statusOf = async (version: string) => {
      const { hostname, port, host } = new URL(stage.replica.url);
      const socket = connect(Number(port), hostname);
      socket.write(`GET ${path} HTTP/${version}\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      return /^HTTP\/1\.1 (\d+)/.exec(await text(socket))?.[1];
    };
    assert.deepEqual([await statusOf('1.1'), await statusOf('1.0')], ['404', '403']);
  });

  it('say that a public URL needs keys', async () => {
    const replica = await startReplica(stage.server.url, {
      environment: { WHATSAPP_PUBLIC_URL: 'https://wa.example.org' },
    });
    try {
      const { status, body } = await answerOf(await replica.get(path));
      assert.deepEqual([status, body.error?.code], [403, 'forbidden']);
      assert.match(body.error?.message ?? '', /set WHATSAPP_API_KEYS .* where WHATSAPP_PUBLIC_URL is not/);
      await askForPasskey(JSON.stringify({ id, options, code: null }));
      const page = await (await replica.get('/qr')).text();
      assert.match(page, /<code>WHATSAPP_PUBLIC_URL<\/code> is not a loopback URL/);
    } finally {
      await replica.close();
    }
  });

  it('have a page and forms for the operator alone', async () => {
    await askForPasskey(JSON.stringify({ id, options, code: null }));
    const { url } = stage.replica;
    const page = async (headers: Record<string, string>) => {
      const response = await fetch(`${url}/qr`, { headers });
      const shows = (await response.text()).includes('navigator.credentials');
      return [shows, response.headers.get('cross-origin-opener-policy')];
    };
    assert.deepEqual(await page({}), [true, 'same-origin-allow-popups']);
    assert.deepEqual(await page({ 'x-forwarded-for': '192.0.2.1' }), [false, 'same-origin']);
    const guest = await fetch(`${keyed.url}/qr`, { headers: { cookie: await keyed.guestCookie() } });
    assert.equal(guest.headers.get('cross-origin-opener-policy'), 'same-origin');
    assert.ok(!(await guest.text()).includes('navigator.credentials'));

    const form = (headers: Record<string, string>) => fetch(`${url}/qr-form?do=passkey`, { headers });
    assert.match(await (await form({})).text(), /navigator\.credentials/);
    assert.equal((await form({ via: '1.1 proxy' })).status, 403);
    for (const action of ['answer', 'confirm', 'retry', 'cancel']) {
      const body = new URLSearchParams({ do: `passkey-${action}`, id, answer: '{}', code: 'x' });
      const headers = { origin: url, 'x-forwarded-for': '192.0.2.1' };
      const refused = await fetch(`${url}/qr-form`, { method: 'POST', headers, body });
      assert.deepEqual(
        [refused.status, (await answerOf(refused)).body.error?.code],
        [403, 'forbidden'],
        action,
      );
    }
  });

  it('give a pasted answer back as long as it can be of use', async () => {
    await askForPasskey(JSON.stringify({ id, options, code: null }));
    let code = 'passkey_not_acceptable';
    await stage.consumer({
      read: async () => ({ ok: false, error: { code, message: `the session says ${code}` } }),
    });
    const { url } = stage.replica;
    const { credential } = operations.passkeyAnswer.example.input;
    const pasted = JSON.stringify({ id, credential });
    const paste = async () => {
      const body = new URLSearchParams({ do: 'passkey-answer', answer: pasted });
      const headers = { origin: url, accept: 'text/html' };
      const response = await fetch(`${url}/qr-form`, { method: 'POST', headers, body });
      return { status: response.status, text: await response.text() };
    };
    const area =
      html`<textarea id="answer" name="answer" rows="6" required spellcheck="false" autocomplete="off" aria-invalid="true" aria-describedby="problem">
${pasted}</textarea>`.text;
    const refused = await paste();
    assert.equal(refused.status, 422);
    assert.match(refused.text, /role="alert">[^<]*the session says passkey_not_acceptable/);
    assert.ok(refused.text.includes(area), refused.text);
    for (code of ['passkey_superseded', 'passkey_not_pending']) {
      const over = await paste();
      assert.equal(over.status, 409);
      assert.match(over.text, new RegExp(`role="alert">[^<]*the session says ${code}`));
      assert.doesNotMatch(over.text, /<textarea/);
    }
    let last = refused;
    for (let call = 0; call < 10 && last.status !== 429; call++) last = await paste();
    assert.equal(last.status, 429);
    assert.ok(last.text.includes(area));
    assert.match(last.text, /role="alert">more than 10 calls for a passkey a minute/);
  });

  it('say how long to wait after a refusal only where waiting helps', async () => {
    await askForPasskey(JSON.stringify({ id, options, code: null }));
    let busy = {};
    await stage.consumer({
      read: async () => ({ ok: false, error: { code: 'rate_limited', message: 'too much', ...busy } }),
    });
    const init = { headers: json, body: JSON.stringify({ id }) };
    const retry = async () => {
      const { status, headers } = await stage.replica.post(`${path}/retry`, init);
      return [status, headers.get('retry-after')];
    };
    // The session worker repeats a request three times for one scan.
    assert.deepEqual(await retry(), [429, null]);
    busy = { retryAfterS: 1 };
    assert.deepEqual(await retry(), [429, '1']);
  });

  it('have no tool', () => {
    const tools = Object.entries(operations).filter(([name]) => name.startsWith('passkey'));
    assert.equal(tools.length, 5);
    for (const [name, { tool, scope }] of tools) assert.deepEqual([tool, scope], [null, 'admin'], name);
  });

  it('answer the options that Redis has, and nothing of a value that cannot be read', async () => {
    await askForPasskey(JSON.stringify({ id, options, code: null }));
    assert.deepEqual((await answerOf(await stage.replica.get(path))).body, { ...asked, options, code: null });
    await stage.redis.set(k.passkey, JSON.stringify({ id, options: null, code: 'K7QX2M4P' }));
    assert.equal((await answerOf(await stage.replica.get(path))).body.code, 'K7QX2M4P');
    const other = JSON.stringify({ id: 'another', options, code: null });
    for (const value of ['', '{', '[]', '{"id":1}', other]) {
      await stage.redis.set(k.passkey, value);
      const { status, body } = await answerOf(await stage.replica.get(path));
      assert.deepEqual([status, body], [200, { ...asked, options: null, code: null }], value);
    }
  });

  it('say that nothing is asked: 404 to a GET, 409 to a POST', async () => {
    const { run } = await stage.held();
    await run.publish('qr', { qrText: 'a code' });
    const read = await answerOf(await stage.replica.get(path));
    assert.deepEqual([read.status, read.body.error?.code], [404, 'passkey_not_pending']);
    for (const step of ['retry', 'cancel']) {
      const { status, body } = await post(step, { id });
      assert.deepEqual([status, body.error?.code], [409, 'passkey_not_pending'], step);
    }
  });

  it('say what is wrong with a body', async () => {
    const { credential } = operations.passkeyAnswer.example.input;
    const wrong: [string, unknown, string][] = [
      ['answer', { id }, 'credential'],
      ['answer', { credential }, 'id'],
      ['answer', { id, credential: { ...credential, type: 'password' } }, 'credential.type'],
      ['answer', { id, credential: { ...credential, rawId: 'a+b' } }, 'credential.rawId'],
      ['confirm', { id, code: 7 }, 'code'],
      ['retry', { id, now: true }, 'now'],
    ];
    for (const [step, body, field] of wrong) {
      const { status, body: answer } = await post(step, body);
      assert.equal(status, 400, field);
      assert.ok(JSON.stringify(answer.error).includes(field), JSON.stringify(answer));
    }
    assert.equal((await post('answer', { id: 'x'.repeat(16 * 1024), credential })).status, 413);
  });

  it('are limited to 10 calls a minute that go on with a request', async () => {
    const answers: number[] = [];
    for (let call = 0; call < 11; call++) answers.push((await post('retry', { id })).status);
    assert.deepEqual(answers, [...Array(10).fill(409), 429]);
    assert.equal((await post('cancel', { id })).status, 409, 'a person can always cancel');
  });

  it('leave `passkey` null in a status of an earlier version', async () => {
    const { run } = await stage.held();
    await run.publish('ready');
    const { passkey: _, ...older } = JSON.parse((await stage.redis.get(k.state)) ?? '');
    await stage.redis.set(k.state, JSON.stringify(older));
    assert.equal((await stage.replica.status()).passkey, null);
  });
});
