import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ReadJob } from '../../../../src/contract/command-jobs.js';
import { findWorkerOperation } from '../../../../src/contract/operations.js';
import type { SessionState } from '../../../../src/contract/status.js';
import type { ToThread } from '../../../../src/contract/thread-messages.js';
import { Availability } from '../../../../src/supervisor/commands/availability.js';
import { runRead } from '../../../../src/supervisor/commands/run-read.js';
import type { Incarnation } from '../../../../src/supervisor/incarnation.js';
import { ThreadRpc } from '../../../../src/supervisor/thread-rpc.js';

type Command = Extract<ToThread, { type: 'command' }>;

/** Without `input`: the one of the operation's example. */
function jobOf(
  operation: string,
  input: ReadJob['input'] = findWorkerOperation(operation)?.example.input ?? {},
): ReadJob {
  return { operation, input, notAfter: 0, requestId: 'r', fetchesAnswer: true };
}

/** A session in this state with a page that answers at once. */
function session(state: SessionState) {
  const calls: string[] = [];
  const inputs: unknown[] = [];
  const rpc: ThreadRpc = new ThreadRpc((message) => {
    const { id, operation, input } = message as Command;
    calls.push(operation);
    inputs.push(input);
    queueMicrotask(() =>
      rpc.settle(
        operation === 'chats'
          ? {
              type: 'refusal',
              id,
              code: 'not_supported_by_page',
              message: 'version 2.3000 cannot list chats',
            }
          : { type: 'answer', id, output: operation },
      ),
    );
  });
  const incarnation = { commands: rpc } as unknown as Incarnation;
  const availability = new Availability();
  availability.update(incarnation, state);
  const read = (operation: string, patienceMs = 20_000, input?: ReadJob['input']) => {
    return runRead(jobOf(operation, input), availability, new AbortController().signal, patienceMs);
  };
  return {
    calls,
    inputs,
    availability,
    read,
    becomes: (next: SessionState) => availability.update(incarnation, next),
  };
}

describe('an operation on a request for a passkey', () => {
  for (const state of ['qr', 'starting', 'ready'] as const) {
    it(`is refused in the state ${state}, because the request does not come back`, async () => {
      const { read, calls } = session(state);
      assert.deepEqual(await read('passkeyCancel'), {
        ok: false,
        error: {
          code: 'passkey_not_pending',
          message: `WhatsApp does not ask for a passkey now: the session is ${state}`,
        },
      });
      assert.deepEqual(calls, []);
    });
  }

  it('is carried out when Redis knew of the request a moment before the supervisor', async () => {
    const { read, becomes } = session('qr');
    const answer = read('passkeyCancel');
    becomes('passkey_required');
    assert.deepEqual(await answer, { ok: true, output: 'passkeyCancel' });
  });
});

describe('an operation that may be repeated', () => {
  /** A session whose thread ends at its first command. */
  function interruptedSession() {
    const { availability } = session('starting');
    const taken: string[] = [];
    const rpc: ThreadRpc = new ThreadRpc((message) => {
      taken.push((message as Command).operation);
      queueMicrotask(() => rpc.close());
    });
    availability.update({ commands: rpc } as unknown as Incarnation, 'ready');
    const run = (operation: string, patienceMs: number) =>
      runRead(jobOf(operation), availability, new AbortController().signal, patienceMs);
    return { availability, taken, run };
  }

  it('is carried out again by the next session worker', async () => {
    const { availability, taken, run } = interruptedSession();
    const answer = run('react', 20_000);
    availability.update(null, 'starting');
    const { calls, availability: next } = session('ready');
    availability.update(next.in('ready'), 'ready');
    assert.deepEqual(await answer, { ok: true, output: 'react' });
    assert.deepEqual([taken, calls], [['react'], ['react']]);
  });

  for (const [operation, message] of [
    [
      'react',
      'the session (starting) did not answer in time; it may have been done; repeating it does no harm',
    ],
    ['number', 'the session (starting) did not answer in time'],
  ] as const) {
    it(`says after an interruption of ${operation} whether it may have been done`, async () => {
      const { availability, run } = interruptedSession();
      const answer = run(operation, 50);
      availability.update(null, 'starting');
      assert.deepEqual(await answer, { ok: false, error: { code: 'timeout', message } });
    });
  }
});

describe('a read', () => {
  it('that the page does not support returns its refusal', async () => {
    const answer = await session('ready').read('chats');
    assert.deepEqual(answer, {
      ok: false,
      error: { code: 'not_supported_by_page', message: 'version 2.3000 cannot list chats' },
    });
  });

  it('of a number waits until the session is ready', async () => {
    const { calls, read, becomes } = session('qr');
    const answer = read('number');
    becomes('authenticated');
    assert.deepEqual(calls, []);
    becomes('ready');
    assert.deepEqual(await answer, { ok: true, output: 'number' });
  });

  it('does not wait for a restart after its deadline', async () => {
    const { availability, read } = session('ready');
    availability.update(null, 'disconnected');
    const answer = read('number', 20_000);
    const rest = { code: 'not_supported_by_page', message: 'incompatible WhatsApp Web page' } as const;
    availability.update(null, 'disconnected', {
      ...{ ...rest, until: performance.now() + 900_000, needsScan: false },
    });
    assert.deepEqual(await answer, { ok: false, error: rest });
  });

  it('waits for a restart before its deadline', async () => {
    const { availability, read, becomes } = session('ready');
    availability.update(null, 'disconnected');
    const rest = { code: 'session_not_ready', message: 'WhatsApp ended the connection' } as const;
    availability.update(null, 'disconnected', {
      ...{ ...rest, until: performance.now() + 1_000, needsScan: false },
    });
    const answer = read('number', 20_000);
    becomes('ready');
    assert.deepEqual(await answer, { ok: true, output: 'number' });
  });

  it('does not wait for a restart that can only come to a QR, unless it needs one', async () => {
    const { availability, read, becomes } = session('starting');
    const answer = read('number', 20_000);
    const rest = { code: 'session_not_ready', message: 'WhatsApp cannot be reached' } as const;
    availability.update(null, 'disconnected', {
      ...{ ...rest, until: performance.now() + 1_000, needsScan: true },
    });
    const error = { code: rest.code, message: `no phone is linked; ${rest.message}` };
    assert.deepEqual(await answer, { ok: false, error });
    assert.deepEqual(await read('number', 20_000), { ok: false, error });
    const code = read('pairingCode', 20_000);
    becomes('qr');
    assert.deepEqual(await code, { ok: true, output: 'pairingCode' });
  });

  it('of a pairing code does not disturb a page that asks for a passkey, and waits for the next QR', async () => {
    const { calls, read, becomes } = session('passkey_required');
    assert.deepEqual(await read('pairingCode', 50), {
      ok: false,
      error: { code: 'timeout', message: 'the session (passkey_required) did not answer in time' },
    });
    assert.deepEqual(calls, []);
    const answer = read('pairingCode');
    becomes('qr');
    assert.deepEqual(await answer, { ok: true, output: 'pairingCode' });
  });
});

describe('a job of another version', () => {
  const refusedAs = (what: string) => ({
    ok: false,
    error: {
      code: 'session_not_ready',
      message: `the supervisor of this session does not know ${what} yet: run the version of the API there, too`,
    },
  });

  for (const operation of ['newerThanThis', 'constructor', 'status', 'send', 'sendTexts', 'prepareSend']) {
    it(`with the operation ${operation}, which is no read, is refused for a while, not for good`, async () => {
      const { calls, read } = session('ready');
      assert.deepEqual(await read(operation), refusedAs(`"${operation}"`));
      assert.deepEqual(calls, []);
    });
  }

  it('with an input that does not fit is refused, and the next is answered', async () => {
    const { calls, read } = session('ready');
    for (const input of [{}, { phone_number: 7 }, { phone_number: 'x'.repeat(65) }]) {
      assert.deepEqual(await read('number', 20_000, input), refusedAs('this input of "number"'));
    }
    assert.deepEqual(calls, []);
    assert.deepEqual(await read('number'), { ok: true, output: 'number' });
  });

  it('with a further field is carried out without it', async () => {
    const { inputs, read } = session('ready');
    await read('messages', 20_000, { chat_id: '15551234567@c.us', limit: 7, before: 'newer' });
    assert.deepEqual(inputs, [{ chat_id: '15551234567@c.us', limit: 7 }]);
  });

  it('with a name of any length is refused with a short message', async () => {
    const outcome = await session('ready').read('x'.repeat(100_000));
    assert.ok(JSON.stringify(outcome).length < 3_000);
  });
});
