import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerCommand, type PageContext } from '../../../../src/session-worker/operations/answer-command.js';

const command = { type: 'command', id: '7', input: {}, requestIds: [] } as const;
const context = { page: null, onBound: () => undefined } as unknown as PageContext;

for (const operation of ['newerThanThis', 'constructor', 'status']) {
  test(`${operation}, which this version does not carry out, is refused for a while, not for good`, async () => {
    assert.deepEqual(await answerCommand(context, { ...command, operation }), {
      type: 'refusal',
      id: '7',
      code: 'session_not_ready',
      message: `the supervisor of this session does not know "${operation}" yet: run the version of the API there, too`,
    });
  });
}
