import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  composeStatus,
  ownerGoneSentence,
  type SessionState,
  type Status,
} from '../../../src/contract/status.js';
import type { Expectation } from '../../support/matrix/fault-row.js';
import { type FaultRecord, judge, noticedAfterMs, recoveredAfterMs } from '../../support/matrix/judge.js';
import type { Sample } from '../../support/matrix/status-sampler.js';

/** The judge of the fault tests accepts a good run and refuses each kind of bad one. */
type StatusFacts = readonly [
  state: SessionState,
  incarnation?: number,
  epoch?: number,
  lastError?: string | null,
];

function status([state, incarnation = 1, epoch = 7, lastError = null]: StatusFacts): Status {
  const run = { auth_dir: '', chrome_executable: '', headless: true, session: 'default', supervisor: 's' };
  const full = { ...run, epoch, incarnation, restarts: 0 };
  return composeStatus(full, { state, lastError, account: null }, null);
}

/** One sighting each second; the injection is at 1.5 s. */
function record(seen: readonly (StatusFacts | 503)[], changes: Partial<FaultRecord> = {}): FaultRecord {
  const samples = seen.map(
    (what, i): Sample => ({
      at: i * 1_000,
      tookMs: 5,
      code: what === 503 ? 503 : 200,
      status: what === 503 ? null : status(what),
      error: what === 503 ? 'redis_unavailable' : null,
      browsers: 1,
      acting: 1,
    }),
  );
  const last = seen.at(-1);
  return {
    state: 'ready',
    before: { status: status(['ready']), browser: 1 },
    after: { status: status(last === undefined || last === 503 ? ['ready'] : last), browser: 2 },
    samples,
    injectedAt: 1_500,
    honestWithinMs: 2_500,
    mostBrowsers: 1,
    mostActing: 1,
    latestMs: 10,
    redisLatestMs: 0,
    ...changes,
  };
}

const died: StatusFacts = ['disconnected', 2, 7, 'the browser died'];
const well: readonly StatusFacts[] = [
  ['ready'],
  ['ready'],
  died,
  ['starting', 3],
  ['authenticated', 3],
  ['ready', 3],
];
const newBrowser: Expectation = { recovery: 'new browser', says: /browser died/, noticedMs: 1_000 };

describe('a fault with a good recovery', () => {
  test('passes, with the times when it showed and when it was over', () => {
    const run = record(well);
    judge(newBrowser, run);
    assert.deepEqual([noticedAfterMs(run), recoveredAfterMs(run)], [500, 3_500]);
  });

  test('passes when the API is as late as Redis itself', () => {
    const late = record([['ready'], ['ready'], 503, ...well.slice(2)], { redisLatestMs: 900 });
    const samples = late.samples.map((s) => ({ ...s, tookMs: 1_900 }));
    judge(newBrowser, { ...late, samples });
    const redisDown = 'shows';
    assert.throws(() => judge({ ...newBrowser, redisDown }, { ...late, samples }), /the status took 1900 ms/);
  });

  test('passes with Redis down when the row expects that', () => {
    const run = record([['ready'], ['ready'], 503, ['starting', 1, 8], ['ready', 1, 8]]);
    judge({ recovery: 'anybody', redisDown: 'shows' }, run);
  });
});

const wrong: readonly [why: string, run: FaultRecord, expect: Expectation, message: RegExp][] = [
  ['two browsers', record(well, { mostBrowsers: 2 }), newBrowser, /2 browsers/],
  ['two pages', record(well, { mostActing: 2 }), newBrowser, /2 pages acted/],
  [
    'an API that refuses',
    record([['ready'], ['ready'], 503, ...well.slice(2)]),
    newBrowser,
    /refused to answer/,
  ],
  [
    'a slow API',
    record(well, { samples: record(well).samples.map((s) => ({ ...s, tookMs: 1_051 })) }),
    newBrowser,
    /the status took 1051 ms/,
  ],
  [
    'ready without a browser',
    record([['ready'], ['ready'], ['ready'], ['ready'], died, ['ready', 3]], {
      samples: record([['ready'], ['ready'], ['ready'], ['ready'], died, ['ready', 3]]).samples.map((s) => ({
        ...s,
        browsers: 0,
      })),
    }),
    newBrowser,
    /ready for 2995 ms while nothing acted/,
  ],
  ['an epoch that falls', record([['ready'], ['ready', 1, 6], ...well]), newBrowser, /6\.1 after 7\.1/],
  ['an incarnation that falls', record([...well, ['ready', 2]]), newBrowser, /7\.2 after 7\.3/],
  ['an impossible transition', record([...well, ['starting', 3]]), newBrowser, /starting after ready/],
  ['a new scan', record([...well.slice(0, 4), ['qr', 3], ['ready', 3]]), newBrowser, /new scan/],
  ['another reason', record(well), { ...newBrowser, says: /page crashed/ }, /never said/],
  ['a late notice', record(well), { ...newBrowser, noticedMs: 440 }, /showed after 500 ms/],
  ['no notice', record([['ready'], ['ready'], ['ready']]), newBrowser, /isNewLife/],
  [
    'a disturbed session',
    record([['ready'], ['ready'], ['disconnected', 1, 7, ownerGoneSentence], ['ready']], {
      after: { status: status(['ready']), browser: 1 },
    }),
    { recovery: 'undisturbed' },
    /the fault must not show/,
  ],
  ['a Redis that was never down', record(well), { ...newBrowser, redisDown: 'shows' }, /never down/],
];

describe('the judge refuses', () => {
  for (const [why, run, expect, message] of wrong) {
    test(why, () => {
      assert.throws(
        () => judge(expect, run),
        (error: Error) => {
          assert.match(`${error.message} ${JSON.stringify(error)}`, message);
          return true;
        },
      );
    });
  }
});
