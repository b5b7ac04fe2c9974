import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Timing } from '../../src/contract/timing.js';
import { Deployment, type Settled } from './deployment.js';
import { assertNothingLeft } from './leftovers.js';

/** One fault, and what must have become of the session afterwards. */
export interface FaultRow {
  readonly title: string;
  /** Resolves when the fault is over, or has been noticed by whom it concerns. */
  readonly inject: (deployment: Deployment, before: Settled) => Promise<unknown>;
  /** `same browser`: nobody was disturbed. `same owner`, `standby`: a new browser there. `anybody`: anywhere. */
  readonly expect: 'same browser' | 'same owner' | 'standby' | 'anybody';
}

/**
 * Runs each row on a deployment of two supervisors. Whatever the fault: never two browsers at once, the session
 * comes back by itself, what Redis says of it is true, nothing is left over, nothing is unburied.
 */
export function faultRows(timing: Partial<Timing>, rows: readonly FaultRow[]): void {
  let deployment: Deployment;

  before(async () => {
    deployment = await Deployment.open(timing);
  });

  after(async () => {
    await deployment.close();
    await assertNothingLeft();
  });

  for (const { title, inject, expect } of rows) {
    test(title, async () => {
      const earlier = await deployment.settle();
      await inject(deployment, earlier);
      const later = await deployment.settled();
      const { owner, browser, status } = later;
      assert.equal(deployment.browsers.most, 1, 'browsers at the same time');
      if (expect === 'same browser') {
        assert.equal(browser, earlier.browser);
        assert.equal(status.epoch, earlier.status.epoch);
      } else {
        assert.notEqual(browser, earlier.browser);
        assert.ok(status.epoch > earlier.status.epoch, 'the epoch rises');
        if (expect === 'same owner') assert.equal(owner.id, earlier.owner.id);
        if (expect === 'standby') assert.notEqual(owner.id, earlier.owner.id);
      }
      await deployment.assertNoZombies();
    });
  }
}

/** For how long a fault lasts: only the timing table may say. */
export function lasting(ms: number): Promise<void> {
  return sleep(ms);
}
