import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ReadJob } from '../../../../src/contract/command-jobs.js';
import { operations } from '../../../../src/contract/operations.js';
import { composeStatus, neverStarted } from '../../../../src/contract/status.js';
import type { CommandCall, SessionCommandContext } from '../../../../src/http/commands/command-context.js';
import { pairingCode } from '../../../../src/http/commands/pairing-code.js';
import { readSession } from '../../../../src/http/commands/read.js';
import type { RunView } from '../../../../src/http/session/run-view.js';
import { logTo } from '../../../support/log-lines.js';

const nowMs = 1_795_000_000_000;
const facts = neverStarted({ auth_dir: '', chrome_executable: '', headless: true, session: 'default' });
const call = {
  baseUrl: '',
  requestId: 'r',
  waitMs: 5_000,
  signal: new AbortController().signal,
} as CommandCall;

/** A session in this state, whose worker gives this answer to each question. */
function contextOf(state: 'qr' | 'ready', answer: unknown) {
  const status = composeStatus(facts, { state, lastError: null, account: null }, null);
  const view = { status, heartbeat: 'live', job: 'held', nowMs } as RunView;
  const job = { finishedOn: nowMs, returnvalue: JSON.stringify({ ok: true, output: answer }) };
  const asked: ReadJob[] = [];
  const lines: Record<string, unknown>[] = [];
  const context = {
    run: {
      readView: async () => view,
      untilNextRead: async () => undefined,
      inBackground: () => undefined,
      log: logTo(lines),
    },
    queues: { addRead: async (each: ReadJob) => `r-${asked.push(each)}`, removeRead: async () => undefined },
    jobs: { findRead: async () => ({ job }) },
    readsUnderWay: { tryEnter: () => true, leave: () => undefined },
  } as unknown as SessionCommandContext;
  return { context, asked, lines };
}

describe('a question to the session worker', () => {
  it('ends by the time of Redis, whatever the clock of the replica says', async () => {
    const chats = contextOf('ready', operations.chats.example.output);
    await readSession(chats.context, 'chats', { limit: 20 }, call);
    const pairing = contextOf('qr', { code: 'ABCD1234' });
    await pairingCode(pairing.context, { phone_number: '15551234567' }, call);
    for (const { asked } of [chats, pairing]) {
      assert.deepEqual(
        asked.map(({ notAfter }) => notAfter),
        [nowMs + 5_000],
      );
    }
  });

  it('for a pairing code is logged when it was answered, without the code and the number', async () => {
    const { context, lines } = contextOf('qr', { code: 'ABCD1234' });
    await pairingCode(context, { phone_number: '15551234567' }, call);
    const made = lines.filter(({ msg }) => msg === 'pairing code made');
    assert.deepEqual(
      made.map(({ requestId }) => requestId),
      ['r'],
    );
    assert.doesNotMatch(JSON.stringify(lines), /ABCD1234|15551234567/);
  });

  it('whose answer does not fit the operation fails as an error of the session, not of Redis', async () => {
    const expected = { code: 'whatsapp_error', message: 'the answer of the session cannot be read' };
    const chats = contextOf('ready', { ok: true, count: 'one' });
    await assert.rejects(readSession(chats.context, 'chats', { limit: 20 }, call), expected);
    const pairing = contextOf('qr', {});
    await assert.rejects(pairingCode(pairing.context, { phone_number: '15551234567' }, call), expected);
  });
});
