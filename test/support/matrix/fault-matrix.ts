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
  type SteadySession,
} from './fault-row.js';
import { putInFlight } from './in-flight.js';
import { type FaultRecord, judge, noticedAfterMs, recoveredAfterMs, saidAfterMs } from './judge.js';
import { StatusSampler } from './status-sampler.js';

/** Time within which `last_error` must match a row's `says`. */
const shownWithinMs = 60_000;

/**
 * Runs each row in its most dangerous state, or with `HOLDLINE_FAULTS=all` in each of its states. For every fault: never
 * two browsers, no wrong status in any sample, the API stays up, the session recovers by itself, commands settle, nothing
 * is left over. Each state also has a control without a fault. No row may pass on the control's record.
 */
export function faultMatrix<Held extends SteadySession, Stage extends FaultStage<Held>>(
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
    test(`control: ${state} is undisturbed without a fault, and none of ${own.length} rows passes`, () =>
      control(stage, state, own));
  }
  for (const { row, state } of cases) test(`${state}: ${row.fault}`, (t) => run(t, stage, row, state));
}

async function run<Held extends SteadySession, Stage extends FaultStage<Held>>(
  t: TestContext,
  stage: Stage,
  row: FaultRow<Stage, Held>,
  state: HeldState,
): Promise<void> {
  const before = await held(stage, state);
  const sampler = new StatusSampler(stage);
  try {
    const commands = state === 'ready' ? await putInFlight(stage) : null;
    const injectedAt = performance.now();
    const found = await row.inject(stage, before);
    const overAt = performance.now();
    if (row.expect.says !== undefined) await untilSaid(sampler, row.expect.says);
    const after = await stage.recovered(state);
    await commands?.assertSettled(row.expect);
    await nextSamples(sampler);
    await sampler.stop();
    const record = recordOf(stage, sampler, { state, before, after, injectedAt });
    judge(row.expect, record);
    await stage.assertNoZombies();
    if (typeof found === 'string') t.diagnostic(found);
    t.diagnostic(figures(record, row.expect, overAt - injectedAt));
  } catch (error) {
    throw withTimeline(error, sampler, stage);
  } finally {
    await sampler.stop();
  }
}

async function held<Held extends SteadySession>(stage: FaultStage<Held>, state: HeldState): Promise<Held> {
  try {
    return await stage.hold(state);
  } catch (error) {
    throw new Error(`${explained(error)}\n${stage.explain()}`, { cause: error });
  }
}

function withTimeline(error: unknown, sampler: StatusSampler, stage: FaultStage): Error {
  return new Error(`${explained(error)}\n${timeline(sampler)}\n${stage.explain()}`, { cause: error });
}

/** Samples without a fault, for as long as the slowest row of this state may take to be noticed; 2 to 10 s. */
async function control<Held extends SteadySession, Stage extends FaultStage<Held>>(
  stage: Stage,
  state: HeldState,
  rows: readonly FaultRow<Stage, Held>[],
): Promise<void> {
  const before = await held(stage, state);
  const sampler = new StatusSampler(stage);
  const injectedAt = performance.now();
  await sleep(Math.min(10_000, Math.max(2_000, ...rows.map(({ expect }) => expect.noticedMs ?? 0))));
  await nextSamples(sampler);
  await sampler.stop();
  const status = await stage.replica.status();
  const record = recordOf(stage, sampler, {
    state,
    before,
    after: { ...before, status },
    injectedAt,
  });
  try {
    judge({ recovery: 'undisturbed' }, record);
  } catch (error) {
    throw withTimeline(error, sampler, stage);
  }
  for (const { fault, expect } of rows) {
    const isNothingToSee = ['undisturbed', 'same thread', 'same run'].includes(expect.recovery);
    if (!isNothingToSee || expect.says !== undefined || expect.redisDown === 'shows') {
      assert.throws(() => judge(expect, record), `the row "${fault}" passes without its fault`);
    }
  }
}

function recordOf(
  stage: FaultStage,
  sampler: StatusSampler,
  facts: Pick<FaultRecord, 'state' | 'before' | 'after' | 'injectedAt'>,
): FaultRecord {
  const { samples, mostActing, mostBrowsers, latestMs, redisLatestMs } = sampler;
  const lateness = { latestMs, redisLatestMs, honestWithinMs: stage.honestWithinMs };
  return { ...facts, ...lateness, samples, mostActing, mostBrowsers };
}

async function untilSaid({ samples }: StatusSampler, says: RegExp): Promise<void> {
  const isSaid = () => samples.some(({ status }) => says.test(status?.last_error ?? ''));
  await eventually(isSaid, { timeoutMs: shownWithinMs, message: `last_error says ${says}` });
}

async function nextSamples({ samples }: StatusSampler): Promise<void> {
  const seen = samples.length;
  await eventually(() => samples.length > seen + 2, { message: 'more samples' });
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

/** The samples in words, one line for each change. */
function timeline({ samples }: StatusSampler): string {
  const from = samples[0]?.at ?? 0;
  const lines = samples.map(({ at, code, error, status, browsers, acting }) => {
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
