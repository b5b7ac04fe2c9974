import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { keyPrefix } from '../../../../src/contract/keys.js';
import { type CommandStage, startCommandStage } from '../../../support/command-stage.js';
import { eventually } from '../../../support/eventually.js';
import { linkedAccount as account } from '../../../support/held-session.js';

interface Answer {
  readonly status: number;
  readonly body: {
    readonly ok?: true;
    readonly error?: { code: string; message: string; issues?: { path: string; message: string }[] };
  };
}

const id = 'false_15551234567@c.us_3EB0C431C26A1916E07A';
const emojiRule = 'emoji must be one emoji, or empty to take the reaction back';

describe('POST /api/messages/{id}/react', () => {
  let stage: CommandStage;

  before(async () => {
    stage = await startCommandStage();
  });
  afterEach(() => stage.clear());
  after(() => stage.close());

  async function react(body: unknown, messageId = id, prefer = 'wait=30'): Promise<Answer> {
    const response = await stage.replica.post(`/api/messages/${encodeURIComponent(messageId)}/react`, {
      headers: { prefer, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  }

  async function publishReady() {
    const { run } = await stage.held();
    await run.publish('ready', { account });
  }

  it('asks the session worker for the message and the emoji', async () => {
    await publishReady();
    const { reads } = await stage.consumer({ read: async () => ({ ok: true, output: { ok: true } }) });
    for (const emoji of ['👍', '❤', '👩🏽‍🚀', '🇨🇭', '1️⃣', '']) {
      assert.deepEqual(await react({ emoji }), { status: 200, body: { ok: true } }, emoji);
      assert.deepEqual([reads.at(-1)?.operation, reads.at(-1)?.input], ['react', { id, emoji }]);
    }
  });

  it('refuses anything but one emoji, and does not call the session worker', async () => {
    await publishReady();
    const { reads } = await stage.consumer({ read: async () => ({ ok: true, output: { ok: true } }) });
    const texts = ['ok', '👍👍', '👍!', ' ', '1', '\u20e3', 'a\u20e3', '🇨', '👍'.padEnd(80, '\u200d')];
    for (const emoji of [...texts, 7, null, undefined]) {
      const { status, body } = await react({ emoji });
      assert.equal(status, 400, String(emoji));
      assert.deepEqual(body.error?.issues, [{ path: 'emoji', message: emojiRule }], String(emoji));
    }
    assert.equal((await react({ emoji: '👍', chat_id: '1@lid' })).body.error?.code, 'invalid_request');
    assert.equal((await react({ emoji: '👍' }, 'x'.repeat(257))).body.error?.code, 'invalid_request');
    const repeated = await react({ id, emoji: '👍' });
    assert.deepEqual(repeated.body.error?.issues, [
      { path: 'id', message: 'belongs in the path, not in the body' },
    ]);
    assert.deepEqual(reads, []);
  });

  it('answers 404 when there is no such message', async () => {
    await publishReady();
    const error = { code: 'message_not_found', message: 'there is no such message' };
    await stage.consumer({ read: async () => ({ ok: false, error }) });
    assert.deepEqual(await react({ emoji: '👍' }), { status: 404, body: { error } });
  });

  it('answers 504 after the wait, and says that it may have been done', async () => {
    await publishReady();
    const { status, body } = await react({ emoji: '👍' }, id, 'wait=1');
    assert.deepEqual([status, body.error?.code], [504, 'timeout']);
    assert.equal(
      body.error?.message,
      'the session did not answer in time; it may have been done; repeating it does no harm',
    );
  });

  it('says so too when the session is stopped meanwhile', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    const answer = react({ emoji: '👍' });
    await eventually(async () => (await stage.redis.llen(`${keyPrefix}:reads-default:wait`)) === 1);
    await run.end('stopped');
    const { status, body } = await answer;
    assert.deepEqual([status, body.error?.code], [504, 'timeout']);
    assert.match(
      body.error?.message ?? '',
      /not started.*; it may have been done; repeating it does no harm$/,
    );
  });

  it('without a wait is not begun, and says so', async () => {
    await publishReady();
    const { status, body } = await react({ emoji: '👍' }, id, 'wait=0');
    assert.equal(status, 504);
    assert.equal(body.error?.message, 'the session did not answer in time; nothing was done');
  });
});
