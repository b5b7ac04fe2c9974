import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { ApiError } from '../../../../src/contract/errors.js';
import type { RunControl } from '../../../../src/http/session/run-control.js';
import type { RunView } from '../../../../src/http/session/run-view.js';
import { startSession } from '../../../../src/http/session/start-session.js';

const view = (job: RunView['job']) =>
  ({
    ...{ job, isLocked: false, heartbeat: 'ended', intent: null, supervisors: 1 },
    ...{ stored: null, status: { epoch: 0, state: 'stopped' } },
  }) as unknown as RunView;

test('a start goes on through an outage of Redis after its caller has left', async () => {
  const steps: string[] = [];
  let isAway = false;
  let work: Promise<void> = Promise.resolve();
  let outages = 0;
  const run: Partial<RunControl> = {
    session: 'default',
    timing: { authStartWaitMs: 1, commandWaitMs: 1, endWaitMs: 60_000 },
    log: pino({ level: 'silent' }),
    closing: new AbortController().signal,
    async readView() {
      if (isAway && ++outages <= 1) throw new ApiError('redis_unavailable', 'away');
      return view(steps.includes('remove') ? 'none' : 'over');
    },
    async removeJob() {
      steps.push('remove');
      isAway = true;
      return true;
    },
    async addStart() {
      steps.push('add');
    },
    untilNextRead: () => Promise.resolve(),
    inBackground(started) {
      work = started;
    },
  };
  // Without a wait: the call removes the job of the previous run, and the rest happens in the background.
  await startSession(run as RunControl, { waitMs: 0, signal: new AbortController().signal });
  await work;
  assert.equal(outages, 2);
  assert.deepEqual(steps, ['remove', 'add']);
});
