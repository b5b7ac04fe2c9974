import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CommandParts } from '../../../../src/session-worker/operations/parts.js';
import { sendFunctions } from '../../../../src/session-worker/operations/sends.js';

/** A page that never reports an acknowledgement, and shows it at the last of so many looks. */
function silentPage(looks: number) {
  const pauses: number[] = [];
  const client = {
    acks: {
      next: async (_: string, ms: number) => {
        pauses.push(ms);
        return null;
      },
    },
    ask: async () => ({ ack: pauses.length < looks ? 0 : 1, timestamp: 7 }),
  };
  return { pauses, parts: { client } as unknown as CommandParts };
}

describe('an acknowledgement whose event was missed', () => {
  it('is found by looks at the page, whose pauses grow to 15 s', async () => {
    const { pauses, parts } = silentPage(7);
    const found = await sendFunctions.untilAcked(parts, { messageId: 'm', waitMs: 120_000 });
    assert.deepEqual(found, { ack: 1, timestamp: 7 });
    assert.deepEqual(pauses, [1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
  });

  it('is looked for no later than the end of the wait', async () => {
    const { pauses, parts } = silentPage(1);
    await sendFunctions.untilAcked(parts, { messageId: 'm', waitMs: 500 });
    assert.ok((pauses[0] ?? 0) <= 500, String(pauses));
  });
});
