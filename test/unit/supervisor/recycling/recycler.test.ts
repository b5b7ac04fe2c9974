import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Recycling, untilRecyclingDue } from '../../../../src/supervisor/recycling/recycler.js';

const dayMs = 86_400_000;

interface Setup {
  readonly memoryMb?: number;
  readonly days?: number;
  /** Readings in MB, one for each check; the last repeats. */
  readonly readings?: readonly (number | null)[];
  readonly ageMs?: number;
  /** One for each check; the last repeats. */
  readonly quiet?: readonly boolean[];
  readonly ready?: readonly boolean[];
  readonly patienceMs?: number;
  readonly checks?: number;
}

interface Outcome {
  readonly recycling: Recycling | null;
  readonly checks: number;
  readonly warnings: number;
}

/** Checks once a millisecond, at most `checks` times. */
async function outcomeOf(setup: Setup): Promise<Outcome> {
  const { readings = [100], quiet = [true], ready = [true], checks: mostChecks = 30 } = setup;
  const end = new AbortController();
  const counts = { checks: 0, quiet: 0, ready: 0, warnings: 0 };
  const next = <T>(values: readonly T[], i: number) => values[Math.min(i, values.length - 1)] as T;
  const recycling = await untilRecyclingDue(
    {
      limits: { memoryMb: setup.memoryMb ?? 0, days: setup.days ?? 0 },
      timing: { memoryCheckMs: 1, recyclePatienceMs: setup.patienceMs ?? 60_000, recycleSpacingMs: 60_000 },
      readMemory: async () => {
        const megabytes = next(readings, counts.checks - 1);
        if (Number.isNaN(megabytes)) throw new Error('not to be read now');
        if (megabytes === null) return null;
        return { pssBytes: megabytes * 1_048_576, rssBytes: 0, processes: 1 };
      },
      browser: () => {
        if (++counts.checks >= mostChecks) end.abort();
        return { pid: 1, ageMs: setup.ageMs ?? 120_000 };
      },
      isReady: () => next(ready, counts.ready++),
      isQuiet: async () => next(quiet, counts.quiet++),
      log: { info: () => undefined, warn: () => counts.warnings++ } as never,
    },
    end.signal,
  );
  return { recycling, checks: counts.checks, warnings: counts.warnings };
}

test('two readings in a row above the ceiling are due, one is not', async () => {
  const grown = await outcomeOf({ memoryMb: 200, readings: [100, 300, 300] });
  assert.deepEqual(grown.recycling, {
    why: 'memory',
    message: 'the browser uses 300 MB, the ceiling is 200 MB',
  });
  assert.equal(grown.checks, 3);
  assert.equal((await outcomeOf({ memoryMb: 200, readings: [100, 300, 100] })).recycling, null);
});

test('nothing is due without a ceiling or without readings', async () => {
  assert.equal((await outcomeOf({ readings: [99_999] })).recycling, null);
  assert.equal((await outcomeOf({ memoryMb: 200, readings: [null] })).recycling, null);
  assert.equal((await outcomeOf({ memoryMb: 200, readings: [300, Number.NaN, 300, 100] })).recycling, null);
});

test('a young browser above the ceiling is left alone, with one warning', async () => {
  const { recycling, warnings } = await outcomeOf({ memoryMb: 200, readings: [300], ageMs: 59_999 });
  assert.deepEqual([recycling, warnings], [null, 1]);
});

test('an old browser is due for its age', async () => {
  const old = await outcomeOf({ days: 2, ageMs: 2.5 * dayMs });
  assert.deepEqual(old.recycling, { why: 'age', message: 'the browser has run for 2.5 days' });
  assert.equal((await outcomeOf({ days: 3, ageMs: 2.5 * dayMs })).recycling, null);
});

test('a due browser waits for a quiet moment and a ready session', async () => {
  const setup = { memoryMb: 200, readings: [300] };
  assert.equal((await outcomeOf({ ...setup, quiet: [false, false, false, true] })).checks, 5);
  assert.equal((await outcomeOf({ ...setup, ready: [false, false, true] })).checks, 4);
  assert.equal((await outcomeOf({ ...setup, quiet: [false] })).recycling, null);
});

test('the wait for a quiet moment is bounded, the wait for a ready session is not', async (t) => {
  // A fake clock: each check takes a millisecond.
  let ms = 0;
  t.mock.method(performance, 'now', () => ms++);
  const setup = { memoryMb: 200, readings: [300], quiet: [false], patienceMs: 20, checks: 1_000 };
  const { recycling, checks } = await outcomeOf(setup);
  assert.equal(recycling?.why, 'memory');
  assert.ok(checks > 3, `${checks} checks`);
  assert.equal((await outcomeOf({ ...setup, ready: [false], checks: 60 })).recycling, null);
});

test('a browser that has shrunk meanwhile is no longer due', async () => {
  const { recycling } = await outcomeOf({ memoryMb: 200, readings: [300, 300, 100], quiet: [false, true] });
  assert.equal(recycling, null);
});
