import type { ChainableCommander } from 'ioredis';
import { ApiError } from '../../contract/errors.js';
import { isParseError, isWrongType } from '../../platform/data-errors.js';
import type { Redis } from '../../platform/redis/connection.js';
import { needsReconnect } from '../../platform/redis/connection-group.js';
import { refusesRight } from '../../platform/redis/rights.js';

/** Error replies of a Redis that cannot serve now. CROSSSLOT comes from a proxy in front of a cluster. */
const unavailableReply =
  /^(LOADING|MISCONF|CROSSSLOT|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|WRONGPASS|BUSY|UNKILLABLE)\b/;

/** Runs a call to Redis. Throws `redis_unavailable` if the failure means an outage. */
export async function viaRedis<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw isOutage(error)
      ? new ApiError('redis_unavailable', sentenceOf(error), {
          headers: { 'retry-after': '1' },
          cause: error,
        })
      : error;
  }
}

/** Throws `redis_unavailable` at once while Redis is down. BullMQ itself would wait for a connection and run the command later. */
export async function unlessDown<T>(redis: Redis, call: () => Promise<T>): Promise<T> {
  return viaRedis(async () => {
    if (redis.status !== 'ready') throw new Error('not connected');
    return await call();
  });
}

function sentenceOf(error: unknown): string {
  if (isFull(error)) return full;
  const isRefusal = error instanceof Error && error.name === 'ReplyError';
  return `Redis ${isRefusal ? 'refuses this now' : 'does not answer'}; try again shortly`;
}

const full =
  'Redis has no memory left for this: give it more (docs/bounds.md), or wait until other work is done';

/** The replies of a pipeline. Throws the first error among them. */
export async function repliesOf(pipeline: ChainableCommander): Promise<unknown[]> {
  return ((await pipeline.exec()) ?? []).map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
}

/** Replaces the reply of a key of the wrong type. */
export const wrongType = Symbol('wrong type');

/** Like {@link repliesOf}, but the reply is {@link wrongType} if the key has another type than the command takes. */
export async function repliesUnlessWrongType(pipeline: ChainableCommander): Promise<unknown[]> {
  return ((await pipeline.exec()) ?? []).map(([error, reply]) => {
    if (!error) return reply;
    if (isWrongType(error)) return wrongType;
    throw error;
  });
}

/** Whether Redis is out of memory. Before Redis 7, the error of a failed script has `OOM` in the middle. */
function isFull(error: unknown): boolean {
  return error instanceof Error && /\bOOM\b/.test(error.message);
}

function isOutage(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof ApiError || isParseError(error)) return false;
  if (error.name !== 'ReplyError' || isFull(error)) return true;
  const { message } = error;
  return unavailableReply.test(message) || needsReconnect(message) || refusesRight(message);
}
