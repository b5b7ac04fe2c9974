import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Job } from 'bullmq';
import { pino } from 'pino';
import type { Redis } from '../../../../src/platform/redis/connection.js';
import { Availability } from '../../../../src/supervisor/commands/availability.js';
import { SessionReads } from '../../../../src/supervisor/commands/session-reads.js';

test('an operation that only Redis names is refused, and is no label of a metric', async () => {
  const recorded: string[] = [];
  const reads = new SessionReads(
    {
      redis: { time: async () => [1_000, 0] } as unknown as Redis,
      session: 'default',
      availability: new Availability(),
      recorder: {
        recordCommand: (operation, outcome) => void recorded.push(operation, outcome),
        onBound: () => undefined,
      },
      log: pino({ level: 'silent' }),
    },
    new AbortController().signal,
  );
  const data = { operation: 'made-up', input: {}, notAfter: 2_000_000, requestId: 'r' };
  const result = await reads.run({ id: '1', data, timestamp: 0 } as unknown as Job);
  assert.equal(result !== null && 'ok' in result && result.ok, false);
  assert.deepEqual(recorded, ['unknown', 'session_not_ready']);
});
