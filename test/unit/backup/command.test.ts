import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { afterEach, mock, test } from 'node:test';
import { runCommand, UsageError } from '../../../src/backup/command.js';
import { OperatorError } from '../../../src/contract/errors.js';

afterEach(() => {
  process.exitCode = undefined;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name);
});

/** Runs the command, and returns its exit code and what it wrote to stderr. */
async function run(command: (signal: AbortSignal) => Promise<void>): Promise<[unknown, string]> {
  let text = '';
  process.exitCode = undefined;
  const write = mock.method(process.stderr, 'write', (part: string) => {
    text += part;
    return true;
  });
  try {
    await runCommand('usage: how', command);
    return [process.exitCode, text];
  } finally {
    write.mock.restore();
  }
}

const failing = (error: unknown) => run(() => Promise.reject(error));

test('what an operator can change is one sentence and exit code 78, never a stack', async () => {
  assert.deepEqual(await failing(new OperatorError('stop it first')), [78, 'holdline: stop it first\n']);
  const missing = await stat('/no/such/file').catch((error) => error);
  assert.deepEqual(await failing(missing), [78, `holdline: ${missing.message}\n`]);
  for (const [name, message] of [
    ['ReplyError', "OOM command not allowed when used memory > 'maxmemory'."],
    ['Error', 'Command timed out'],
    ['Error', 'Connection is closed.'],
  ] as const) {
    const [code, text] = await failing(Object.assign(new Error(message), { name }));
    assert.equal(code, 78);
    assert.equal(
      text,
      `holdline: Redis failed (${message}): see that it runs and has memory, then do this again\n`,
    );
  }
});

test('a wrong call prints the usage and exits with 64; a done one writes nothing', async () => {
  assert.deepEqual(await failing(new UsageError('name one file')), [
    64,
    'holdline: name one file\nusage: how\n',
  ]);
  assert.deepEqual(await run(() => Promise.resolve()), [undefined, '']);
});

test('a signal aborts the command, which ends with 130 once it has cleaned up', async () => {
  let hasCleanedUp = false;
  const outcome = await run(async (signal) => {
    process.emit('SIGTERM');
    assert.ok(signal.aborted);
    await new Promise(setImmediate);
    hasCleanedUp = true;
    signal.throwIfAborted();
  });
  assert.deepEqual(outcome, [130, 'holdline: aborted\n']);
  assert.ok(hasCleanedUp);
});

test('a signal that npm repeats does not interrupt the clean-up, and a later one ends the process', async () => {
  const codes: unknown[] = [];
  let now = 5_000;
  const mocks = [
    mock.method(performance, 'now', () => now),
    mock.method(process, 'exit', (code: unknown) => void codes.push(code)),
  ];
  try {
    const outcome = await run(async (signal) => {
      for (const name of ['SIGINT', 'SIGINT', 'SIGHUP'] as const) assert.ok(process.emit(name), name);
      assert.deepEqual([signal.aborted, codes], [true, []]);
      now += 2_001;
      process.emit('SIGINT');
      signal.throwIfAborted();
    });
    assert.deepEqual([outcome[0], codes], [130, [130]]);
  } finally {
    for (const each of mocks) each.mock.restore();
  }
});

test('a bug is thrown, with its stack', async () => {
  await assert.rejects(failing(new TypeError('x is undefined')), /x is undefined/);
});
