import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it, test } from 'node:test';
import type { SendJob } from '../../../../src/contract/command-jobs.js';
import { type InputOf, operations } from '../../../../src/contract/operations.js';
import { composeStatus, neverStarted } from '../../../../src/contract/status.js';
import { acceptSend } from '../../../../src/http/commands/accept-send.js';
import type { CommandCall, SessionCommandContext } from '../../../../src/http/commands/command-context.js';
import type { StoredJob } from '../../../../src/http/commands/job-reader.js';
import type { RunView } from '../../../../src/http/session/run-view.js';

const input = inputOf({ phone_number: '15551234567', message: 'hello' });
const now = 1_795_000_000_000;
const data: SendJob = {
  ...{ phoneNumber: '15551234567', chatId: null, linkPreview: true, markSeen: true },
  message: input.message,
  requestHash: sha256(JSON.stringify(['15551234567', input.message])),
  notAfter: now + 3_600_000,
  wipedEpoch: 0,
  wid: null,
  requestId: 'another',
};
const job = { timestamp: now, processedOn: null, finishedOn: null, returnvalue: null, attemptsStarted: 0 };
const stored: StoredJob = { job, record: null, isUnusable: false, wipedEpoch: 0, isOwned: true, nowMs: now };

function inputOf(fields: Record<string, unknown>): InputOf<'send'> {
  return operations.send.input.parse(fields);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

test('a send joins the message that another replica accepts at the same moment with the same key', async () => {
  let isAdded = false;
  const done: string[] = [];
  const context = {
    run: { session: 'default' },
    jobs: {
      async findSend() {
        await new Promise(setImmediate);
        isAdded = true;
        return stored;
      },
      findSendData: async () => (isAdded ? data : null),
    },
    forgetSend: async () => void done.push('forgotten'),
    queues: { reserve: async () => undefined, addSend: async () => void done.push('added') },
    turns: { next: async () => undefined },
  } as unknown as SessionCommandContext;
  const key = { keyName: '', key: 'burst' };
  const accepted = await acceptSend(context, input, key, {} as CommandCall);
  assert.deepEqual([accepted.data, accepted.job, accepted.isReplay], [data, job, false]);
  assert.deepEqual(done, []);
});

describe('the job of a message', () => {
  const facts = neverStarted({ auth_dir: '', chrome_executable: '', headless: true, session: 'default' });
  const status = composeStatus(facts, { state: 'ready', lastError: null, account: null }, null);
  const view = { status, heartbeat: 'live', job: 'held', wipedEpoch: 0, nowMs: now };

  /** The job that a request adds to Redis. */
  async function jobOf(fields: Record<string, unknown>): Promise<SendJob> {
    const added: SendJob[] = [];
    const context = {
      run: { session: 'default', readView: async () => view as RunView, log: { info: () => undefined } },
      turns: { next: async () => undefined },
      queues: {
        reserve: async () => undefined,
        addSend: async (_id: string, each: SendJob) => void added.push(each),
      },
      sendTtlMs: 1_000,
    } as unknown as SessionCommandContext;
    await acceptSend(context, inputOf(fields), null, { baseUrl: '', requestId: 'r' } as CommandCall);
    const [first] = added;
    assert.ok(first);
    return first;
  }

  const [phone, id, message] = ['+1 555 123-4567', '98765432101234@lid', 'hello'];

  it('has the recipient and the options of the request', async () => {
    const how = ({ phoneNumber, chatId, linkPreview, markSeen }: SendJob) => [
      ...[phoneNumber, chatId],
      ...[linkPreview, markSeen],
    ];
    assert.deepEqual(how(await jobOf({ phone_number: phone, message })), ['15551234567', null, true, true]);
    assert.deepEqual(how(await jobOf({ chat_id: id, message })), [null, id, true, true]);
    const silent = { link_preview: false, mark_seen: false };
    assert.deepEqual(how(await jobOf({ chat_id: id, message, ...silent })), [null, id, false, false]);
  });

  it('expires by the time of Redis, whatever the clock of the replica says', async () => {
    assert.equal((await jobOf({ phone_number: phone, message })).notAfter, now + 1_000);
  });

  it('has the hash of earlier versions for a number and a text without other options', async () => {
    const expected = sha256(JSON.stringify(['15551234567', message]));
    for (const more of [{}, { link_preview: true }, { link_preview: true, mark_seen: true }]) {
      assert.equal((await jobOf({ phone_number: phone, message, ...more })).requestHash, expected);
    }
    assert.equal((await jobOf({ phone_number: '001 (555) 1234567', message })).requestHash, expected);
  });

  it('has another hash for every other request', async () => {
    const hashes = await Promise.all(
      [
        { phone_number: phone, message },
        { phone_number: phone, message: 'hello!' },
        { phone_number: phone, message, link_preview: false },
        { phone_number: phone, message, mark_seen: false },
        { phone_number: phone, message, link_preview: false, mark_seen: false },
        { chat_id: id, message },
        { chat_id: '15551234567@c.us', message },
        { chat_id: id, message, link_preview: false },
        { chat_id: id, message, mark_seen: false },
      ].map(async (fields) => (await jobOf(fields)).requestHash),
    );
    assert.equal(new Set(hashes).size, hashes.length);
  });
});
