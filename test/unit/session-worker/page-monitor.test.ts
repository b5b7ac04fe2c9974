import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DeadlineError } from '../../../src/contract/errors.js';
import { PageMonitor } from '../../../src/session-worker/page-monitor.js';

/** The reasons for which the incarnation fails when a call into its page fails like this. */
function failuresBy(error: unknown): string[] {
  const reasons: string[] = [];
  const state = { current: 'ready', fail: ({ reason }: { reason: string }) => reasons.push(reason) };
  const options = { state } as unknown as ConstructorParameters<typeof PageMonitor>[0];
  new PageMonitor(options).onCallFailed(error);
  return reasons;
}

describe('a failed call into a page that is ready', () => {
  it('ends the incarnation if the page did not answer in time', () => {
    assert.deepEqual(failuresBy(new DeadlineError('the page', 1_000)), ['page_hung']);
  });

  for (const error of [new Error('Execution context was destroyed'), null, undefined, 'deadline']) {
    it(`is ignored otherwise: ${String(error)}`, () => assert.deepEqual(failuresBy(error), []));
  }
});
