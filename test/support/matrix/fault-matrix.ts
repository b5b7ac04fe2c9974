import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../eventually.js';
import { assertNothingLeft } from '../leftovers.js';
import {
  type Expectation,
  type FaultRow,
  type FaultStage,
  type HeldState,
  isEverythingRun,
  type Standing,
} from './fault-row.js';
import { putInFlight } from './in-flight.js';
import { type FaultRecord, judge, noticedAfterMs, recoveredAfterMs, saidAfterMs } from './judge.js';
import { Watch } from './watch.js';

/** Longest time in which a row's `last_error` must have come, where the row names no other. */
const shownWithinMs = 60_000;

/**
 * Runs each row in its most dangerous state, or with `HOLDLINE_FAULTS=all` in each of its states. Whatever the fault:
 * never two browsers, no wrong status at any look, the API up, the session back by itself, commands settled, nothing
 * left over. For each state one control leaves every fault out, and no row may be content with that.
 */
export function faultMatrix<Held extends Standing, Stage extends FaultStage<Held>>(
  open: () => Promise<Stage>,
  rows: readonly FaultRow<Stage, Held>[],
): void {
  let stage: Stage;
  before(async () => {
    stage = await open();
  });
  after(async () => {
    await stage.close();
    await assertNothingLeft();
  });

  const cases = rows
    .filter(({ isLong }) => !isLong || isEverythingRun)
    .flatMap((row) =>
      (isEverythingRun ? row.states : row.states.slice(0, 1)).map((state) => ({
        row: { ...row, expect: { ...row.expect, ...row.expectIn?.[state] } },
        state,
      })),
    );

  for (const state of new Set(cases.map((c) => c.state))) {
    const own = cases.filter((c) => c.state === state).map(({ row }) => row);
    test(`control: ${state} is undisturbed without a fault, and none of ${own.length} rows is content`, () =>
      control(stage, state, own));
  }
  for (const { row, state } of cases) test(`${state}: ${row.fault}`, (t) => run(t, stage, row, state));
}

async function run<Held extends Standing, Stage extends FaultStage<Held>>(
  t: TestContext,
  stage: Stage,
  row: FaultRow<Stage, Held>,
  state: HeldState,
): Promise<void> {
  const standing = await held(stage, state);
  const watch = new Watch(stage);
  try {
    const commands = state === 'ready' ? await putInFlight(stage) : null;
    const injectedAt = performance.now();
    const found = await row.inject(stage, standing);
    const overAt = performance.now();
    if (row.expect.says !== undefined) await untilSaid(watch, row.expect.says);
    const after = await stage.recovered(state);
    await commands?.assertSettled(row.expect);
    await lastLook(watch);
    await watch.stop();
    const record = recordOf(stage, watch, { state, before: standing, after, injectedAt });
    judge(row.expect, record);
    await stage.assertNoZombies();
    if (typeof found === 'string') t.diagnostic(found);
    t.diagnostic(figures(record, row.expect, overAt - injectedAt));
  } catch (error) {
    throw withStory(error, watch, stage);
  } finally {
    await watch.stop();
  }
}

async function held<Held extends Standing>(stage: FaultStage<Held>, state: HeldState): Promise<Held> {
  try {
    return await stage.hold(state);
  } catch (error) {
    throw new Error(`${explained(error)}\n${stage.explain()}`, { cause: error });
  }
}

function withStory(error: unknown, watch: Watch, stage: FaultStage): Error {
  return new Error(`${explained(error)}\n${story(watch)}\n${stage.explain()}`, { cause: error });
}

/** As long as the slowest row of this state may take to be noticed, but without its fault. */
async function control<Held extends Standing, Stage extends FaultStage<Held>>(
  stage: Stage,
  state: HeldState,
  rows: readonly FaultRow<Stage, Held>[],
): Promise<void> {
  const standing = await held(stage, state);
  const watch = new Watch(stage);
  const injectedAt = performance.now();
  await sleep(Math.min(10_000, Math.max(2_000, ...rows.map(({ expect }) => expect.noticedMs ?? 0))));
  await lastLook(watch);
  await watch.stop();
  const status = await stage.replica.status();
  const record = recordOf(stage, watch, {
    state,
    before: standing,
    after: { ...standing, status },
    injectedAt,
  });
  try {
    judge({ recovery: 'undisturbed' }, record);
  } catch (error) {
    throw withStory(error, watch, stage);
  }
  for (const { fault, expect } of rows) {
    const isNothingToSee = ['undisturbed', 'same thread', 'same run'].includes(expect.recovery);
    if (!isNothingToSee || expect.says !== undefined || expect.redisDown === 'shows') {
      assert.throws(() => judge(expect, record), `the row "${fault}" needs no fault`);
    }
  }
}

function recordOf(
  stage: FaultStage,
  watch: Watch,
  facts: Pick<FaultRecord, 'state' | 'before' | 'after' | 'injectedAt'>,
): FaultRecord {
  const { sightings, mostActing, mostBrowsers, latestMs, redisLatestMs } = watch;
  const lateness = { latestMs, redisLatestMs, honestWithinMs: stage.honestWithinMs };
  return { ...facts, ...lateness, sightings, mostActing, mostBrowsers };
}

async function untilSaid({ sightings }: Watch, says: RegExp): Promise<void> {
  const isSaid = () => sightings.some(({ status }) => says.test(status?.last_error ?? ''));
  await eventually(isSaid, { timeoutMs: shownWithinMs, message: `last_error says ${says}` });
}

async function lastLook({ sightings }: Watch): Promise<void> {
  const seen = sightings.length;
  await eventually(() => sightings.length > seen + 2, { message: 'more looks' });
}

function figures(record: FaultRecord, { says }: Expectation, lastedMs: number): string {
  const seconds = (ms: number | null) => (ms === null ? 'never' : `${(ms / 1_000).toFixed(1)} s`);
  const [noticed, recovered] = [noticedAfterMs(record), recoveredAfterMs(record)].map(seconds);
  const said = says === undefined ? '' : `, named after ${seconds(saidAfterMs(record, says))}`;
  return `shown after ${noticed}${said}, recovered after ${recovered}, the fault lasted ${seconds(lastedMs)}`;
}

function explained(error: unknown): string {
  const { message, cause } = error as Error;
  return cause === undefined ? message : `${message}: ${(cause as Error).message}`;
}

/** What the status said, one line for each change. */
function story({ sightings }: Watch): string {
  const from = sightings[0]?.at ?? 0;
  const lines = sightings.map(({ at, code, error, status, browsers, acting }) => {
    const said = status
      ? `${status.state} ${status.epoch}.${status.incarnation} ${status.last_error ?? ''}`
      : `${code} ${error}`;
    return { at: ((at - from) / 1_000).toFixed(1), line: `${browsers} browsers, ${acting} acting, ${said}` };
  });
  return lines
    .filter(({ line }, i) => line !== lines[i - 1]?.line)
    .map(({ at, line }) => `${at} s: ${line}`)
    .join('\n');
}
