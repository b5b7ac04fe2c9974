import { Job, type Queue } from 'bullmq';
import { queueKeys } from '../../contract/key-types.js';
import { isDataError, isParseError, isWrongType } from '../../platform/data-errors.js';
import type { Logger } from '../../platform/logger.js';
import { requeueIfLost } from '../../platform/queues/job-queue.js';
import type { Redis } from '../../platform/redis/connection.js';
import { quarantineCopy, quarantineWrongTypes, withQuarantine } from '../../platform/redis/quarantine.js';

/** Repairs one queue of commands: jobs of an owner that is gone, jobs that cannot be read, keys of a wrong type. */

export interface CommandQueue {
  readonly queue: Queue;
  readonly redis: Redis;
  readonly log: Logger;
}

/** A job, and the token of its lock. */
export interface TakenJob {
  readonly job: Job;
  readonly token: string;
}

interface Requeued {
  /** The session belongs to this run, for some seconds at least. If not, the next owner requeues them. */
  readonly isOwner: () => boolean;
  /** The job is carried out here. */
  readonly isHeld: (id: string) => boolean;
  /** Jobs that this run was given, by id. */
  readonly taken: ReadonlyMap<string, TakenJob>;
}

/**
 * Moves all active jobs that are not held to the front of their queue, in their order: also those that were lost on the way here.
 * Throws the errors of Redis; then the ones that are left are the oldest.
 */
export async function requeueAllActive(
  commands: CommandQueue,
  { isOwner, isHeld, taken }: Requeued,
): Promise<void> {
  const { queue, redis } = commands;
  for (const id of await redis.lrange(queue.toKey('active'), 0, -1)) {
    if (!isOwner()) return;
    if (isHeld(id)) continue;
    const mine = taken.get(id);
    if (mine === undefined) await requeueActive(commands, id);
    else await mine.job.moveToWait(mine.token);
  }
}

/**
 * Moves an active job to the front of its queue. Call it with the newest job first: that keeps their order. A job that cannot
 * be moved because of its own data is logged and stays active. Throws the errors of Redis.
 */
export async function requeueActive(commands: CommandQueue, id: string): Promise<void> {
  const { queue, redis, log } = commands;
  try {
    const job = await withQuarantine(redis, [queue.toKey(id)], () => readJob(queue, id));
    if (job === 'unreadable') await failUnreadable(commands, id);
    // There is no such job.
    else if (job === undefined) await redis.lrem(queue.toKey('active'), 0, id);
    else await moveToFront(commands, job, id);
  } catch (error) {
    if (!isDataError(error)) throw error;
    log.error({ jobId: id, err: error }, 'a command cannot be requeued');
  }
}

/**
 * Repairs what made BullMQ throw `error` instead of handing out a job: fails jobs that cannot be read, and quarantines keys of
 * a wrong type. `isHeld`: the job was handed out before, and must not be touched. False: there was nothing to repair.
 */
export async function repairAfter(
  commands: CommandQueue,
  error: unknown,
  isHeld: (id: string) => boolean,
): Promise<boolean> {
  if (!isParseError(error)) return quarantineIfWrongType(commands, error);
  const { queue, redis } = commands;
  for (const id of await redis.lrange(queue.toKey('active'), 0, -1)) {
    if (isHeld(id)) continue;
    const job = await readJob(queue, id).catch(() => null);
    if (job === 'unreadable') await failUnreadable(commands, id);
  }
  return true;
}

/** Quarantines the keys of the queue that have a wrong type, if `error` says that there are any. False: there are none. */
export async function quarantineIfWrongType(
  { queue, redis }: CommandQueue,
  error: unknown,
): Promise<boolean> {
  if (!isWrongType(error)) return false;
  return (await quarantineWrongTypes(redis, queueKeys(queue.name)).catch(() => 0)) > 0;
}

/** The token `'0'` makes BullMQ skip the lock, which belongs to the owner that is gone. */
async function moveToFront(commands: CommandQueue, job: Job, id: string): Promise<void> {
  try {
    await job.moveToWait('0');
  } catch (error) {
    if (!(await quarantineIfWrongType(commands, error))) throw error;
    // BullMQ may have removed the job from one list before it failed at the other.
    const { queue, redis } = commands;
    if (!(await requeueIfLost(redis, queue.name, id, 'front'))) await job.moveToWait('0');
  }
}

async function readJob(queue: Queue, id: string): Promise<Job | 'unreadable' | undefined> {
  try {
    return await Job.fromId(queue, id);
  } catch (error) {
    if (isParseError(error)) return 'unreadable';
    throw error;
  }
}

/** Fails only this job. Copies its data to quarantine, and keeps it out of the error. */
async function failUnreadable({ queue, redis, log }: CommandQueue, id: string): Promise<void> {
  log.error({ jobId: id }, 'a command cannot be read; it is not carried out');
  const key = queue.toKey(id);
  await quarantineCopy(redis, key, (await redis.hget(key, 'data')) ?? '');
  const options = { attempts: 1, removeOnFail: { age: 86_400 } };
  const job = new Job(queue, 'unreadable', {}, options, id);
  await job.updateData({});
  await job.moveToFailed(new Error('the command cannot be read'), '0');
}
