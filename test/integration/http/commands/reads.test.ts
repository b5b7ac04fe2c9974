import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import type { ReadOutcome } from '../../../../src/contract/command-jobs.js';
import { keyPrefix } from '../../../../src/contract/keys.js';
import { deferred } from '../../../../src/platform/deadline.js';
import { eventually } from '../../../support/eventually.js';
import { linkedAccount as account, type HeldSession, holdSession } from '../../../support/held-session.js';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import {
  type CommandScript,
  type ScriptedCommands,
  startScriptedCommands,
} from '../../../support/scripted-commands.js';
import { showQrUntilAsked, startOwner } from '../../../support/scripted-owner.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

const message = {
  ...{ id: 'false_15551234567@c.us_A', from: '15551234567@c.us', to: account.wid, author: null },
  ...{
    from_me: false,
    type: 'chat',
    body: 'Zeile 1\nZeile 2 🧵',
    timestamp: 1_790_000_000,
    has_media: false,
    chat_id: '98765432101234@lid',
    sender: null,
    is_truncated: false,
  },
};
const contact = { id: '98765432101234@lid', phone: '15551234567', lid: '98765432101234@lid', name: 'Grace' };
const chat = {
  ...{ id: '15551234567@c.us', name: 'Grace', is_group: false, is_read_only: false, unread_count: 2 },
  ...{
    timestamp: 1_790_000_000,
    archived: false,
    pinned: true,
    muted: false,
    last_message: { ...message, sender: contact },
    contact,
  },
};
const answers: Record<string, ReadOutcome> = {
  chats: { ok: true, output: { ok: true, count: 1, chats: [chat] } },
  messages: { ok: true, output: { ok: true, chat, count: 1, messages: [message] } },
  pairingCode: { ok: true, output: { code: 'ABCD1234' } },
};

interface AskInit extends RequestInit {
  readonly headers?: Record<string, string>;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown> & { error: Record<string, unknown> };
}

describe('what is asked of the session worker', () => {
  let server: RedisForData;
  let redis: Redis;
  let replica: Replica;
  let other: Replica;
  const open: { close(): Promise<void> }[] = [];

  before(async () => {
    server = await openRedis();
    redis = new Redis(server.url);
    [replica, other] = [await startReplica(server.url), await startReplica(server.url)];
  });
  afterEach(async () => {
    for (const part of open.splice(0).reverse()) await part.close();
    await redis.flushdb();
  });
  after(async () => {
    await Promise.all([replica.close(), other.close()]);
    redis.disconnect();
    await server.stop();
  });

  async function held(): Promise<HeldSession> {
    const session = await holdSession(server.url, replica);
    open.push(session);
    return session;
  }

  async function consumer(script: CommandScript = {}): Promise<ScriptedCommands> {
    const commands = await startScriptedCommands(server.url, {
      read: async ({ operation }) => answers[operation] as ReadOutcome,
      ...script,
    });
    open.push(commands);
    return commands;
  }

  async function ask(path: string, init: AskInit = {}, on = replica): Promise<Answer> {
    const type: Record<string, string> = init.body ? { 'content-type': 'application/json' } : {};
    const response = await on.get(path, { ...init, headers: { ...type, ...init.headers } });
    const body = (await response.json()) as Answer['body'];
    return { status: response.status, headers: response.headers, body };
  }

  const chats = (prefer = 'wait=30', on = replica) => ask('/api/chats', { headers: { prefer } }, on);
  const pair = (prefer = 'wait=30', on = replica) =>
    ask(
      '/api/pairing-code',
      { method: 'POST', headers: { prefer }, body: JSON.stringify({ phone_number: '+1 555 123 4567' }) },
      on,
    );

  function assertRefused(answer: Answer, status: number, code: string): void {
    assert.deepEqual([answer.status, answer.body.error?.code], [status, code], JSON.stringify(answer.body));
  }

  async function assertNothingWaits(): Promise<void> {
    await eventually(async () => (await redis.keys(`${keyPrefix}:reads-default:r-*`)).length === 0);
  }

  it('answers chats and messages as the reference does, on any replica', async () => {
    const { run } = await held();
    await run.publish('ready', { account });
    const { reads } = await consumer();
    assert.deepEqual((await chats()).body, { ok: true, count: 1, chats: [chat] });
    const expected = { ok: true, chat, count: 1, messages: [message] };
    const query = '/api/messages?phone_number=%2B1%20555-123-4567&limit=3&utm=x';
    assert.deepEqual((await ask(query, {}, other)).body, expected);
    const post = { method: 'POST', body: '{"phone_number":"+1 (555) 123 4567"}' };
    assert.deepEqual((await ask('/api/messages', post)).body, expected);
    const id = { method: 'POST', body: '{"chat_id":"120363000000000002@newsletter","limit":1}' };
    assert.deepEqual((await ask('/api/messages', id)).body, expected);
    assert.deepEqual((await ask('/api/messages?chat_id=98765432101234%40lid', {}, other)).body, expected);
    assert.deepEqual(
      reads.map(({ operation, input }) => [operation, input]),
      [
        ['chats', { limit: 20 }],
        ['messages', { phone_number: '15551234567', limit: 3 }],
        ['messages', { phone_number: '15551234567', limit: 10 }],
        ['messages', { chat_id: '120363000000000002@newsletter', limit: 1 }],
        ['messages', { chat_id: '98765432101234@lid', limit: 10 }],
      ],
    );
  });

  it('hands on who asks and until when', async () => {
    const { run } = await held();
    await run.publish('ready', { account });
    const { reads } = await consumer();
    await ask('/api/chats?limit=5', { headers: { prefer: 'wait=100', 'x-request-id': 'trace 7' } });
    assert.equal(reads[0]?.requestId, 'trace 7');
    assert.deepEqual(reads[0]?.input, { limit: 5 });
    const leftMs = (reads[0]?.notAfter ?? 0) - Date.now();
    assert.ok(leftMs > 50_000 && leftMs <= 100_000, `${leftMs} ms`);
  });

  it('answers a hundred at once', async () => {
    const { run } = await held();
    await run.publish('ready', { account });
    await consumer();
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, i) => chats('wait=60', i % 2 ? replica : other)),
    );
    assert.deepEqual(new Set(all.map(({ status }) => status)), new Set([200]));
  });

  const messages = '/api/messages?phone_number=15551234567';
  for (const [path, code, status, told] of [
    [messages, 'not_on_whatsapp', 422, 'not_on_whatsapp'],
    [messages, 'chat_not_found', 404, 'chat_not_found'],
    ['/api/chats', 'not_on_whatsapp', 502, 'whatsapp_error'],
    ['/api/chats', 'whatsapp_error', 502, 'whatsapp_error'],
    ['/api/chats', 'login_required', 409, 'login_required'],
    ['/api/chats', 'session_not_ready', 503, 'session_not_ready'],
    ['/api/chats', 'timeout', 504, 'timeout'],
    ['/api/chats', 'not_supported_by_page', 501, 'not_supported_by_page'],
    ['/api/chats', 'something_else', 502, 'whatsapp_error'],
    ['/api/chats', 'redis_unavailable', 502, 'whatsapp_error'],
  ] as const) {
    it(`${path} passes on the refusal ${code} as ${status} ${told}`, async () => {
      const { run } = await held();
      await run.publish('ready', { account });
      await consumer({ read: async () => ({ ok: false, error: { code, message: 'because' } }) });
      const answer = await ask(path);
      assertRefused(answer, status, told);
      assert.equal(answer.body.error.message, 'because');
    });
  }

  it('an answer of another shape is an error of ours, without its content', async () => {
    const { run } = await held();
    await run.publish('ready', { account });
    await consumer({ read: async () => ({ ok: true, output: { ok: true, chats: 'secret' } }) });
    const answer = await chats();
    assertRefused(answer, 500, 'internal_error');
    assert.ok(!JSON.stringify(answer.body).includes('secret'));
  });

  describe('while the session is not ready', () => {
    it('never started: refused at once, and nothing is enqueued', async () => {
      assertRefused(await chats(), 409, 'session_not_started');
      await assertNothingWaits();
    });

    it('stopped: refused at once', async () => {
      await held();
      await replica.post('/api/stop');
      assertRefused(await chats(), 409, 'session_not_started');
    });

    it('waiting for a scan: refused at once, and told where the QR is', async () => {
      const { run } = await held();
      await run.publish('qr', { qrText: 'a code' });
      const answer = await chats();
      assertRefused(answer, 409, 'login_required');
      assert.match(String(answer.body.error.message), new RegExp(`${replica.url}/qr`));
    });

    it('asked for a passkey: refused at once, with where it is explained, and nothing is enqueued', async () => {
      const { run } = await held();
      await run.publish('qr', { qrText: 'a code' });
      await run.publish('passkey_required', { lastError: 'WhatsApp asks for a passkey' });
      const { reads } = await consumer();
      for (const answer of [
        await chats(),
        await chats('wait=30', other),
        await pair(),
        await pair('wait=0', other),
      ]) {
        assertRefused(answer, 409, 'login_required');
        assert.match(String(answer.body.error.message), /asks the person for a passkey.*http:[^ ]+\/qr/);
      }
      assert.deepEqual(reads, []);
      await assertNothingWaits();
    });

    for (const state of ['auth_failure', 'disconnected'] as const) {
      it(`ended in ${state}: refused at once with the reason`, async () => {
        const owner = await startOwner(server.url, async (run) => {
          await run.publish('starting');
          await run.end(state, { lastError: 'the phone said no' });
        });
        open.push(owner);
        await replica.post('/api/auth/start');
        for (const answer of [await chats(), await pair()]) {
          assertRefused(answer, 409, 'login_failed');
          assert.match(String(answer.body.error.message), /^the phone said no; POST \/api\/auth\/start/);
        }
      });
    }

    for (const state of ['starting', 'authenticated', 'disconnected'] as const) {
      it(`${state}: waits, and then says so`, async () => {
        const { run } = await held();
        if (state !== 'starting') await run.publish(state, { lastError: 'network gone' });
        const startedAt = performance.now();
        const answer = await chats('wait=1');
        assert.ok(performance.now() - startedAt >= 950);
        assertRefused(answer, 503, 'session_not_ready');
        assert.equal(answer.body.error.state, state);
        assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/);
        assert.equal(answer.headers.get('preference-applied'), 'wait=1');
        await assertNothingWaits();
      });
    }

    it('no supervisor, the start waits for one: waits, and then says so', async () => {
      await replica.post('/api/auth/start');
      const answer = await chats('wait=0');
      assertRefused(answer, 503, 'session_not_ready');
      assert.equal(answer.body.error.state, 'stopped');
    });

    it('its owner is gone and the job is for another: waits', async () => {
      const session = await held();
      await session.run.publish('ready', { account });
      await session.owner.crash();
      const answer = await eventually(async () => {
        const now = await chats('wait=0');
        return now.status === 503 && now;
      });
      assert.equal((answer as Answer).body.error.state, 'disconnected');
    });

    it('is answered once the session is ready', async () => {
      const { run } = await held();
      await consumer({
        async read() {
          await run.publish('ready', { account });
          return answers.chats as ReadOutcome;
        },
      });
      assert.equal((await chats()).status, 200);
    });

    it('is refused when the state becomes one that cannot get there', async () => {
      const { run } = await held();
      await run.publish('authenticated');
      const waiting = chats('wait=30');
      await eventually(async () => (await redis.keys(`${keyPrefix}:reads-default:r-*`)).length === 1);
      await run.publish('disconnected', { lastError: 'logged out on the phone' });
      await run.publish('qr', { qrText: 'a code' });
      assertRefused(await waiting, 409, 'login_required');
      await assertNothingWaits();
    });
  });

  it('a session that does not answer is a timeout, and the question is taken back', async () => {
    const { run } = await held();
    await run.publish('ready', { account });
    assertRefused(await chats('wait=1'), 504, 'timeout');
    await assertNothingWaits();
  });

  it('a client that leaves takes its question along', async () => {
    const { run } = await held();
    await run.publish('ready', { account });
    const leaving = new AbortController();
    const left = replica.get('/api/chats', { signal: leaving.signal });
    await eventually(async () => (await redis.keys(`${keyPrefix}:reads-default:r-*`)).length === 1);
    leaving.abort();
    await assert.rejects(left);
    await assertNothingWaits();
  });

  it('a server that closes answers those who wait', async () => {
    const closing = await startReplica(server.url);
    const { run } = await held();
    await run.publish('authenticated');
    const waiting = chats('wait=30', closing);
    await eventually(async () => (await redis.keys(`${keyPrefix}:reads-default:r-*`)).length === 1);
    await closing.close();
    assertRefused(await waiting, 503, 'session_not_ready');
    await assertNothingWaits();
  });

  it('is asked again when Redis has lost the question', async () => {
    const { run } = await held();
    await run.publish('ready', { account });
    const waiting = chats('wait=60');
    const key = await eventually(async () => (await redis.keys(`${keyPrefix}:reads-default:r-*`))[0]);
    await redis.del(String(key), `${keyPrefix}:reads-default:wait`);
    await consumer();
    assert.equal((await waiting).status, 200);
  });

  describe('POST /api/pairing-code', () => {
    it('gives the code with the pinned instructions while a login is waited for', async () => {
      const { run } = await held();
      await run.publish('qr', { qrText: 'a code' });
      const { reads } = await consumer();
      const answer = await pair();
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      assert.deepEqual(answer.body, {
        already_authenticated: false,
        phone_number: '15551234567',
        code: 'ABCD1234',
        instructions: 'WhatsApp -> Linked devices -> Link a device -> Link with phone number instead',
      });
      assert.deepEqual(reads[0]?.input, { phone_number: '15551234567' });
    });

    it('starts a session that was never started', async () => {
      const owner = await startOwner(server.url, showQrUntilAsked);
      open.push(owner);
      await consumer();
      const [one, two] = await Promise.all([pair('wait=60'), pair('wait=60', other)]);
      assert.deepEqual([one.body.code, two.body.code], ['ABCD1234', 'ABCD1234']);
      assert.equal(owner.runs.length, 1);
    });

    it('starts a session that was stopped', async () => {
      await held();
      await replica.post('/api/stop');
      const owner = await startOwner(server.url, showQrUntilAsked);
      open.push(owner);
      await open.shift()?.close();
      await consumer();
      assert.equal((await pair('wait=60')).body.code, 'ABCD1234');
    });

    it('says with the status that the account is linked already', async () => {
      const { run } = await held();
      await run.publish('ready', { account });
      const { body } = await pair();
      assert.deepEqual(Object.keys(body), ['already_authenticated', 'code', 'status']);
      assert.deepEqual([body.already_authenticated, body.code], [true, null]);
      assert.deepEqual(body.status, await replica.status());
    });

    it('answers so when somebody scans the QR meanwhile', async () => {
      const { run } = await held();
      await run.publish('qr', { qrText: 'a code' });
      const asked = deferred<void>();
      await consumer({
        read() {
          asked.resolve();
          return new Promise<never>(() => undefined);
        },
      });
      const waiting = pair('wait=60');
      await asked.promise;
      await run.publish('authenticated');
      await run.publish('ready', { account });
      assert.equal((await waiting).body.already_authenticated, true);
    });

    it('waits for a session on its way, and then says so', async () => {
      await held();
      const answer = await pair('wait=1');
      assertRefused(answer, 503, 'session_not_ready');
      assert.equal(answer.body.error.state, 'starting');
    });

    it('ends when WhatsApp asks for a passkey meanwhile, and its question is taken back', async () => {
      const { run } = await held();
      await run.publish('qr', { qrText: 'a code' });
      const waiting = pair('wait=60');
      await eventually(async () => (await redis.keys(`${keyPrefix}:reads-default:r-*`)).length === 1);
      await run.publish('passkey_required', { lastError: 'WhatsApp asks for a passkey' });
      assertRefused(await waiting, 409, 'login_required');
      await assertNothingWaits();
    });

    it('is given again once the page is back at its codes', async () => {
      const { run } = await held();
      await run.publish('passkey_required', { lastError: 'WhatsApp asks for a passkey' });
      await run.publish('qr', { qrText: 'a code' });
      await consumer();
      assert.equal((await pair()).body.code, 'ABCD1234');
    });

    it('is a timeout where the code does not come', async () => {
      const { run } = await held();
      await run.publish('qr', { qrText: 'a code' });
      assertRefused(await pair('wait=1'), 504, 'timeout');
      await assertNothingWaits();
    });

    it('tells what the session worker refuses', async () => {
      const { run } = await held();
      await run.publish('qr', { qrText: 'a code' });
      await consumer({
        read: async () => ({ ok: false, error: { code: 'whatsapp_error', message: 'rate limited' } }),
      });
      assertRefused(await pair(), 502, 'whatsapp_error');
    });

    it('tells what the page cannot do', async () => {
      const { run } = await held();
      await run.publish('qr', { qrText: 'a code' });
      const message = 'the page of WhatsApp Web (2.3000.1) lacks what a pairing code needs';
      await consumer({
        read: async () => ({ ok: false, error: { code: 'not_supported_by_page', message } }),
      });
      const answer = await pair();
      assertRefused(answer, 501, 'not_supported_by_page');
      assert.equal(answer.body.error.message, message);
    });
  });
});
