import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { ReadOutcome } from '../../../../src/contract/command-jobs.js';
import { keyPrefix } from '../../../../src/contract/keys.js';
import { type CommandStage, startCommandStage } from '../../../support/command-stage.js';
import { eventually } from '../../../support/eventually.js';
import { linkedAccount as account } from '../../../support/held-session.js';
import { startReplica } from '../../../support/http-replica.js';
import type { CommandScript } from '../../../support/scripted-commands.js';
import { startOwner } from '../../../support/scripted-owner.js';

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
};

interface AskInit extends RequestInit {
  readonly headers?: Record<string, string>;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown> & { error: Record<string, unknown> };
}

describe('reads', () => {
  let stage: CommandStage;

  before(async () => {
    stage = await startCommandStage();
  });
  afterEach(() => stage.clear());
  after(() => stage.close());

  const consumer = (script: CommandScript = {}) =>
    stage.consumer({ read: async ({ operation }) => answers[operation] as ReadOutcome, ...script });

  async function ask(path: string, init: AskInit = {}, on = stage.replica): Promise<Answer> {
    const type: Record<string, string> = init.body ? { 'content-type': 'application/json' } : {};
    const response = await on.get(path, { ...init, headers: { ...type, ...init.headers } });
    const body = (await response.json()) as Answer['body'];
    return { status: response.status, headers: response.headers, body };
  }

  const chats = (prefer = 'wait=30', on = stage.replica) => ask('/api/chats', { headers: { prefer } }, on);

  const waitingReads = () => stage.redis.keys(`${keyPrefix}:reads-default:r-*`);
  const untilOneWaits = () => eventually(async () => (await waitingReads())[0]);
  const untilNothingWaits = () => eventually(async () => (await waitingReads()).length === 0);

  function assertRefused(answer: Answer, status: number, code: string): void {
    assert.deepEqual([answer.status, answer.body.error?.code], [status, code], JSON.stringify(answer.body));
  }

  it('answer chats and messages as the reference API does, on any replica', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    const { reads } = await consumer();
    assert.deepEqual((await chats()).body, { ok: true, count: 1, chats: [chat] });
    const expected = { ok: true, chat, count: 1, messages: [message] };
    const query = '/api/messages?phone_number=%2B1%20555-123-4567&limit=3&utm=x';
    assert.deepEqual((await ask(query, {}, stage.other)).body, expected);
    const post = { method: 'POST', body: '{"phone_number":"+1 (555) 123 4567"}' };
    assert.deepEqual((await ask('/api/messages', post)).body, expected);
    const id = { method: 'POST', body: '{"chat_id":"120363000000000002@newsletter","limit":1}' };
    assert.deepEqual((await ask('/api/messages', id)).body, expected);
    assert.deepEqual(
      (await ask('/api/messages?chat_id=98765432101234%40lid', {}, stage.other)).body,
      expected,
    );
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

  it('carry the request id and the deadline to the session worker', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    const { reads } = await consumer();
    await ask('/api/chats?limit=5', { headers: { prefer: 'wait=100', 'x-request-id': 'trace 7' } });
    assert.equal(reads[0]?.requestId, 'trace 7');
    assert.deepEqual(reads[0]?.input, { limit: 5 });
    const leftMs = (reads[0]?.notAfter ?? 0) - Date.now();
    assert.ok(leftMs > 50_000 && leftMs <= 100_000, `${leftMs} ms`);
  });

  it('are answered when a hundred come at once', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    await consumer();
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, i) => chats('wait=60', i % 2 ? stage.replica : stage.other)),
    );
    assert.deepEqual(new Set(all.map(({ status }) => status)), new Set([200]));
  });

  const messages = '/api/messages?phone_number=15551234567';
  for (const [path, code, status, answered] of [
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
    it(`of ${path} answer ${status} ${answered} when the session worker refuses with ${code}`, async () => {
      const { run } = await stage.held();
      await run.publish('ready', { account });
      await consumer({ read: async () => ({ ok: false, error: { code, message: 'because' } }) });
      const answer = await ask(path);
      assertRefused(answer, status, answered);
      assert.equal(answer.body.error.message, 'because');
      if (code === 'session_not_ready') assert.equal(answer.body.error.state, 'ready');
    });
  }

  it('answer 502, without the content, when the output has another shape', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    await consumer({ read: async () => ({ ok: true, output: { ok: true, chats: 'secret' } }) });
    const answer = await chats();
    assertRefused(answer, 502, 'whatsapp_error');
    assert.ok(!JSON.stringify(answer.body).includes('secret'));
  });

  describe('while the session is not ready', () => {
    it('are refused at once and not enqueued when it was never started', async () => {
      assertRefused(await chats(), 409, 'session_not_started');
      await untilNothingWaits();
    });

    it('are refused at once when it is stopped', async () => {
      await stage.held();
      await stage.replica.post('/api/stop');
      assertRefused(await chats(), 409, 'session_not_started');
    });

    it('are refused at once with the URL of the QR page when it waits for a scan', async () => {
      const { run } = await stage.held();
      await run.publish('qr', { qrText: 'a code' });
      const answer = await chats();
      assertRefused(answer, 409, 'login_required');
      assert.match(String(answer.body.error.message), new RegExp(`${stage.replica.url}/qr`));
    });

    it('are refused at once with the URL of the QR page and not enqueued when WhatsApp asks for a passkey', async () => {
      const { run } = await stage.held();
      await run.publish('qr', { qrText: 'a code' });
      await run.publish('passkey_required', { lastError: 'WhatsApp asks for a passkey' });
      const { reads } = await consumer();
      for (const answer of [await chats(), await chats('wait=30', stage.other)]) {
        assertRefused(answer, 409, 'login_required');
        assert.match(String(answer.body.error.message), /asks the person for a passkey.*http:[^ ]+\/qr/);
      }
      assert.deepEqual(reads, []);
      await untilNothingWaits();
    });

    for (const state of ['auth_failure', 'disconnected'] as const) {
      it(`are refused at once with the reason when it ended in ${state}`, async () => {
        const owner = await startOwner(stage.server.url, async (run) => {
          await run.publish('starting');
          await run.end(state, { lastError: 'the phone said no' });
        });
        stage.open.push(owner);
        await stage.replica.post('/api/auth/start');
        const answer = await chats();
        assertRefused(answer, 409, 'login_failed');
        assert.match(String(answer.body.error.message), /^the phone said no; POST \/api\/auth\/start/);
      });
    }

    for (const state of ['starting', 'authenticated', 'disconnected'] as const) {
      it(`wait in the state ${state}, and then answer 503 with it`, async () => {
        const { run } = await stage.held();
        if (state !== 'starting') await run.publish(state, { lastError: 'network gone' });
        const startedAt = performance.now();
        const answer = await chats('wait=1');
        assert.ok(performance.now() - startedAt >= 950);
        assertRefused(answer, 503, 'session_not_ready');
        assert.equal(answer.body.error.state, state);
        assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/);
        assert.equal(answer.headers.get('preference-applied'), 'wait=1');
        await untilNothingWaits();
      });
    }

    it('answer 503 even if the session worker is the first to see the end of the wait', async () => {
      const { run } = await stage.held();
      await run.publish('disconnected', { account, lastError: 'network gone' });
      const late = { code: 'timeout', message: 'the session (disconnected) did not answer in time' };
      await stage.consumer({ read: async () => ({ ok: false, error: late }) });
      const answer = await chats('wait=60');
      assertRefused(answer, 503, 'session_not_ready');
      assert.equal(answer.body.error.state, 'disconnected');
      assert.match(String(answer.body.error.message), /is disconnected and was not ready in time/);
    });

    it('answer 503 when the start waits for a supervisor', async () => {
      await stage.replica.post('/api/auth/start');
      const answer = await chats('wait=0');
      assertRefused(answer, 503, 'session_not_ready');
      assert.equal(answer.body.error.state, 'stopped');
    });

    it('answer 503 when its owner is gone and another will take it', async () => {
      const session = await stage.held();
      await session.run.publish('ready', { account });
      await session.owner.crash();
      const answer = await eventually(async () => {
        const now = await chats('wait=0');
        return now.status === 503 && now;
      });
      assert.equal((answer as Answer).body.error.state, 'disconnected');
    });

    it('are answered once it is ready', async () => {
      const { run } = await stage.held();
      await consumer({
        async read() {
          await run.publish('ready', { account });
          return answers.chats as ReadOutcome;
        },
      });
      assert.equal((await chats()).status, 200);
    });

    it('are refused when it reaches a state that does not lead to ready', async () => {
      const { run } = await stage.held();
      await run.publish('authenticated');
      const waiting = chats('wait=30');
      await untilOneWaits();
      await run.publish('disconnected', { lastError: 'logged out on the phone' });
      await run.publish('qr', { qrText: 'a code' });
      assertRefused(await waiting, 409, 'login_required');
      await untilNothingWaits();
    });
  });

  it('time out when the session does not answer, and leave the queue', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    assertRefused(await chats('wait=1'), 504, 'timeout');
    await untilNothingWaits();
  });

  it('leave the queue when their client leaves', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    const leaving = new AbortController();
    const left = stage.replica.get('/api/chats', { signal: leaving.signal });
    await untilOneWaits();
    leaving.abort();
    await assert.rejects(left);
    await untilNothingWaits();
  });

  it('are answered when the server closes', async () => {
    const closing = await startReplica(stage.server.url);
    const { run } = await stage.held();
    await run.publish('authenticated');
    const waiting = chats('wait=30', closing);
    await untilOneWaits();
    await closing.close();
    assertRefused(await waiting, 503, 'session_not_ready');
    await untilNothingWaits();
  });

  it('are enqueued again when Redis has lost the job', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    const waiting = chats('wait=60');
    const key = await untilOneWaits();
    await stage.redis.del(String(key), `${keyPrefix}:reads-default:wait`);
    await consumer();
    assert.equal((await waiting).status, 200);
  });
});
