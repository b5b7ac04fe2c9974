import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { SendJob } from '../../src/contract/send-jobs.js';
import { acceptSend } from '../../src/http/commands/accept-send.js';
import type { CommandAccess, CommandCall } from '../../src/http/commands/command-access.js';
import type { JobLook } from '../../src/http/commands/job-looks.js';

const input = { phone_number: '15551234567', message: 'hello' };
const now = 1_795_000_000_000;
const data: SendJob = {
  phoneNumber: input.phone_number,
  message: input.message,
  requestHash: createHash('sha256')
    .update(JSON.stringify([input.phone_number, input.message]))
    .digest('hex'),
  notAfter: now + 3_600_000,
  wipedEpoch: 0,
  wid: null,
  requestId: 'another',
};
const job = { timestamp: now, processedOn: null, finishedOn: null, returnvalue: null, attemptsStarted: 0 };
const look: JobLook = { job, record: null, wipedEpoch: 0, isOwned: true, nowMs: now };

test('a message that another replica accepts at the same moment under the same key is joined, never forgotten', async () => {
  let isAdded = false;
  const done: string[] = [];
  const access = {
    run: { session: 'default' },
    looks: {
      async send() {
        await new Promise(setImmediate);
        isAdded = true;
        return look;
      },
      sendData: async () => (isAdded ? data : null),
    },
    forgetSend: async () => void done.push('forgotten'),
    queues: { addSend: async () => void done.push('added') },
  } as unknown as CommandAccess;
  const key = { owner: '', key: 'burst' };
  const accepted = await acceptSend(access, input, key, {} as CommandCall);
  assert.deepEqual([accepted.data, accepted.job, accepted.isReplay], [data, job, false]);
  assert.deepEqual(done, []);
});
