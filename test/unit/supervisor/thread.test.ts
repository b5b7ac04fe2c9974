import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import type { ThreadData } from '../../../src/contract/thread-messages.js';
import { timingSchema } from '../../../src/contract/timing.js';
import { SessionThread } from '../../../src/supervisor/thread.js';
import { assertNothingLeft } from '../../support/leftovers.js';

after(assertNothingLeft);

/** A thread that answers every message with a sign of life. */
const entry = new URL(
  `data:text/javascript,${encodeURIComponent(
    `import { parentPort } from 'node:worker_threads';
     parentPort.on('message', () => parentPort.postMessage({ type: 'alive' }));`,
  )}`,
);

test('a message whose handler throws ends the thread, not the process', async () => {
  const thread = new SessionThread(entry, timingSchema.parse({}));
  const { port2: redis } = new MessageChannel();
  thread.begin({ redis } as Partial<ThreadData> as ThreadData, () => {
    throw new Error('nothing can be made of it');
  });
  assert.deepEqual(await thread.ended, {
    reason: 'thread_threw',
    message: 'the session worker failed: nothing can be made of it',
  });
  await thread.terminate();
});
