import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import { backoffMs, type Timing, timingContradictions, timingSchema } from '../../../src/contract/timing.js';

const defaults = timingSchema.parse({});
const restartsMax = 10;

/** Each row breaks one relation by one millisecond; `control` is the nearest valid set. */
const relations: readonly {
  title: string;
  names: keyof Timing;
  broken: Partial<Timing>;
  control: Partial<Timing>;
}[] = [
  {
    title: 'one lost renewal must not kill the browser',
    names: 'giveUpMs',
    broken: { renewIntervalMs: 3_500 },
    control: { renewIntervalMs: 3_499 },
  },
  {
    title: 'the watchdog acts after the supervisor, not before',
    names: 'guardTimeoutMs',
    broken: { guardTimeoutMs: 9_000 },
    control: { guardTimeoutMs: 9_001 },
  },
  {
    title: 'a supervisor that gives up has killed its browser before the lock expires',
    names: 'lockDurationMs',
    broken: { guardTimeoutMs: 9_500, socketTimeoutMs: 4_000, lockDurationMs: 13_999 },
    control: { guardTimeoutMs: 9_500, socketTimeoutMs: 4_000, lockDurationMs: 14_000 },
  },
  {
    title: 'the watchdog has killed the browser before the lock expires',
    names: 'lockDurationMs',
    broken: { guardTimeoutMs: 10_001 },
    control: { guardTimeoutMs: 10_000 },
  },
  {
    title: 'an idle blocking read does not count as a silent connection',
    names: 'socketTimeoutMs',
    broken: { drainDelayMs: 5_000 },
    control: { drainDelayMs: 4_999 },
  },
  {
    title: 'a silent connection is replaced before the supervisor gives up',
    names: 'giveUpMs',
    broken: { socketTimeoutMs: 9_000, lockDurationMs: 19_000 },
    control: { socketTimeoutMs: 8_999, lockDurationMs: 19_000 },
  },
  {
    title: 'one lost heartbeat does not make the owner look dead',
    names: 'heartbeatTtlMs',
    broken: { heartbeatIntervalMs: 3_000 },
    control: { heartbeatIntervalMs: 2_999 },
  },
  {
    title: 'one lost sign of life does not make the thread look hung',
    names: 'loopHungAfterMs',
    broken: { loopBeatIntervalMs: 5_000 },
    control: { loopBeatIntervalMs: 4_999 },
  },
  {
    title: 'the stop steps and a last backup fit into the shutdown',
    names: 'shutdownMs',
    broken: { shutdownMs: 23_000 },
    control: { shutdownMs: 23_001 },
  },
  {
    title: 'a backup does not make the page look hung',
    names: 'pageCheckTimeoutMs',
    broken: { backupFreezeMs: 8_000 },
    control: { backupFreezeMs: 7_999 },
  },
  {
    title: 'the first backoff is at most the longest',
    names: 'backoffMaxMs',
    broken: { backoffBaseMs: 60_001 },
    control: { backoffBaseMs: 60_000 },
  },
  {
    title: 'the window is longer than the backoffs that fill it',
    names: 'restartWindowMs',
    broken: { restartWindowMs: 243_500 },
    control: { restartWindowMs: 243_501 },
  },
];

describe('timing', () => {
  it('has defaults without a contradiction', () => {
    assert.deepEqual(timingContradictions(defaults, restartsMax), []);
  });

  for (const { title, names, broken, control } of relations) {
    it(`demands that ${title}`, () => {
      const sentences = timingContradictions({ ...defaults, ...broken }, restartsMax);
      assert.equal(sentences.length, 1, sentences.join('\n'));
      assert.match(sentences[0] ?? '', new RegExp(`^${names} \\(\\d+\\) must `));
      assert.deepEqual(timingContradictions({ ...defaults, ...control }, restartsMax), []);
    });
  }

  it('names every contradiction, not only the first', () => {
    const sentences = timingContradictions({ ...defaults, lockDurationMs: 5_000 }, restartsMax);
    assert.equal(sentences.length, 2, sentences.join('\n'));
  });

  it('refuses unknown rows and invalid durations', () => {
    for (const table of [{ lockDuration: 1 }, { giveUpMs: 0 }, { giveUpMs: -1 }, { giveUpMs: 1.5 }]) {
      assert.equal(timingSchema.safeParse(table).success, false, JSON.stringify(table));
    }
  });

  it('doubles the backoff up to the longest and stays there', () => {
    const delays = [0, 1, 2, 6, 7, 8, 1_000_000].map((attempt) => backoffMs(defaults, attempt));
    assert.deepEqual(delays, [500, 1_000, 2_000, 32_000, 60_000, 60_000, 60_000]);
  });

  it('is documented row by row, with its defaults', () => {
    const file = resolve(import.meta.dirname, '../../../../docs/configuration.md');
    const rows = readFileSync(file, 'utf8').matchAll(/^\| `(\w+Ms)` +\| (\d+) /gm);
    const documented = Object.fromEntries([...rows].map(([, row = '', value]) => [row, Number(value)]));
    assert.deepEqual(documented, defaults);
  });
});
