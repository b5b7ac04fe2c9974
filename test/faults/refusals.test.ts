import assert from 'node:assert/strict';
import { eventually } from '../support/eventually.js';
import { faultMatrix } from '../support/matrix/fault-matrix.js';
import { type FaultRow, lasting } from '../support/matrix/fault-row.js';
import { type RedisError, redisErrors } from '../support/refusals/errors.js';
import { type Held, type RefusedStep, type Stage, steps } from '../support/refusals/steps.js';
import { RefusedDeployment } from '../support/refused-deployment.js';
import { scaledTiming as timing } from '../support/scaled-timing.js';

/**
 * Redis is up and refuses one step of a run or of a send for longer than a lock lasts. HOLDLINE_FAULTS=all runs each step
 * with each of its errors.
 */
const pastTheLock = timing.lockDurationMs + 2 * timing.stalledIntervalMs;

/** Most retries a second on one connection: more means a loop without a delay. */
const mostPerSecond = 12;

faultMatrix<Held, Stage>(
  () => RefusedDeployment.openRefused(timing),
  steps.flatMap((step) => step.errors.map((error, i) => row(step, error, i === 0))),
);

function row(step: RefusedStep, error: RedisError, isFirst: boolean): FaultRow<Stage, Held> {
  return {
    fault: `Redis answers ${error} to ${step.name}`,
    states: ['ready'],
    inject: (stage, before) => refuse(step, error, stage, before),
    expect: step.expect,
    ...(step.isLong || !isFirst ? { isLong: true } : {}),
  };
}

async function refuse(step: RefusedStep, error: RedisError, stage: Stage, before: Held): Promise<string> {
  const { requests, trigger, of, least = 2 } = step;
  const redis = of === 'replica' ? stage.forReplica : stage.forSupervisors;
  const refusal = redis.refuse(requests, redisErrors[error]);
  let afterwards: (() => Promise<void>) | void;
  try {
    [afterwards] = await Promise.all([
      trigger?.(stage, before),
      lasting(pastTheLock),
      eventually(() => refusal.times >= least, { timeoutMs: 30_000, message: 'the step is refused' }),
    ]);
  } finally {
    refusal.lift();
  }
  await afterwards?.();
  const found = `refused ${refusal.times} times, up to ${refusal.mostPerSecond} a second on one connection`;
  assert.ok(refusal.mostPerSecond <= mostPerSecond, found);
  return found;
}
