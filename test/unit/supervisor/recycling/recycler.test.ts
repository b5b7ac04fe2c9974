import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Recycling, untilRecyclingDue } from '../../../../src/supervisor/recycling/recycler.js';

const dayMs = 86_400_000;

interface Scene {
  readonly memoryMb?: number;
  readonly days?: number;
  /** Readings in MB, one a look; the last goes on. */
  readonly readings?: readonly (number | null)[];
  readonly ageMs?: number;
  /** One a look; the last goes on. */
  readonly quiet?: readonly boolean[];
  readonly ready?: readonly boolean[];
  readonly patienceMs?: number;
  readonly looks?: number;
}

interface Outcome {
  readonly recycling: Recycling | null;
  readonly looks: number;
  readonly warnings: number;
}

/** Looks a millisecond apart, `looks` at most. */
async function outcomeOf(scene: Scene): Promise<Outcome> {
  const { readings = [100], quiet = [true], ready = [true], looks: mostLooks = 30 } = scene;
  const end = new AbortController();
  const counts = { looks: 0, quiet: 0, ready: 0, warnings: 0 };
  const next = <T>(values: readonly T[], i: number) => values[Math.min(i, values.length - 1)] as T;
  const recycling = await untilRecyclingDue(
    {
      limits: { memoryMb: scene.memoryMb ?? 0, days: scene.days ?? 0 },
      timing: { memoryCheckMs: 1, recyclePatienceMs: scene.patienceMs ?? 60_000, recycleSpacingMs: 60_000 },
      readMemory: async () => {
        const megabytes = next(readings, counts.looks - 1);
        if (Number.isNaN(megabytes)) throw new Error('not to be read now');
        if (megabytes === null) return null;
        return { pssBytes: megabytes * 1_048_576, rssBytes: 0, processes: 1 };
      },
      browser: () => {
        if (++counts.looks >= mostLooks) end.abort();
        return { pid: 1, ageMs: scene.ageMs ?? 120_000 };
      },
      isReady: () => next(ready, counts.ready++),
      isQuiet: async () => next(quiet, counts.quiet++),
      log: { info: () => undefined, warn: () => counts.warnings++ } as never,
    },
    end.signal,
  );
  return { recycling, looks: counts.looks, warnings: counts.warnings };
}

test('two readings beyond the ceiling are enough, one is not', async () => {
  const grown = await outcomeOf({ memoryMb: 200, readings: [100, 300, 300] });
  assert.deepEqual(grown.recycling, {
    why: 'memory',
    message: 'the browser uses 300 MB, the ceiling is 200 MB',
  });
  assert.equal(grown.looks, 3);
  assert.equal((await outcomeOf({ memoryMb: 200, readings: [100, 300, 100] })).recycling, null);
});

test('without a ceiling, or where memory cannot be read, nothing is ever due', async () => {
  assert.equal((await outcomeOf({ readings: [99_999] })).recycling, null);
  assert.equal((await outcomeOf({ memoryMb: 200, readings: [null] })).recycling, null);
  assert.equal((await outcomeOf({ memoryMb: 200, readings: [300, Number.NaN, 300, 100] })).recycling, null);
});

test('a browser that is beyond the ceiling while it is young is left alone, with one warning', async () => {
  const { recycling, warnings } = await outcomeOf({ memoryMb: 200, readings: [300], ageMs: 59_999 });
  assert.deepEqual([recycling, warnings], [null, 1]);
});

test('an old browser is due for its age', async () => {
  const old = await outcomeOf({ days: 2, ageMs: 2.5 * dayMs });
  assert.deepEqual(old.recycling, { why: 'age', message: 'the browser has run for 2.5 days' });
  assert.equal((await outcomeOf({ days: 3, ageMs: 2.5 * dayMs })).recycling, null);
});

test('it waits for a quiet moment, and for a session that is ready', async () => {
  const scene = { memoryMb: 200, readings: [300] };
  assert.equal((await outcomeOf({ ...scene, quiet: [false, false, false, true] })).looks, 5);
  assert.equal((await outcomeOf({ ...scene, ready: [false, false, true] })).looks, 4);
  assert.equal((await outcomeOf({ ...scene, quiet: [false] })).recycling, null);
});

test('its patience is bounded, but not ready is never good enough', async (t) => {
  // Each look takes a millisecond, however long the machine needs for it.
  let ms = 0;
  t.mock.method(performance, 'now', () => ms++);
  const scene = { memoryMb: 200, readings: [300], quiet: [false], patienceMs: 20, looks: 1_000 };
  const { recycling, looks } = await outcomeOf(scene);
  assert.equal(recycling?.why, 'memory');
  assert.ok(looks > 3, `${looks} looks`);
  assert.equal((await outcomeOf({ ...scene, ready: [false], looks: 60 })).recycling, null);
});

test('a browser that has shrunk meanwhile is not due any more', async () => {
  const { recycling } = await outcomeOf({ memoryMb: 200, readings: [300, 300, 100], quiet: [false, true] });
  assert.equal(recycling, null);
});
