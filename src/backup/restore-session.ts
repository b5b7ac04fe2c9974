import { join } from 'node:path';
import { settledSendAgeS, unknownSend } from '../contract/command-jobs.js';
import { queueKey, sendJobKey, sessionKeys } from '../contract/keys.js';
import { sendsQueue } from '../contract/names.js';
import { type Redis, redisTimeMs } from '../platform/redis/connection.js';
import { luaScript } from '../platform/redis/lua-script.js';
import { quarantineWrongTypes, withQuarantine } from '../platform/redis/quarantine.js';
import { accountGeneration } from '../platform/store/account-cleanup.js';
import {
  files,
  numbersSchema,
  type SavedSend,
  type SavedSession,
  savedEventSchema,
  savedSendSchema,
} from './contents.js';
import { readJson, readLines } from './saved-data.js';

/** A message that was waiting, or being sent, at the time of the backup. The old machine may have sent it since. */
const unsettled = unknownSend(
  'interrupted',
  'the message had not settled when the backup was made: it may have been sent since, and was not sent after the restore',
);

/** Reads every file of {@link restoreSession} once, and throws if one holds anything unexpected. */
export async function checkSavedSession(dir: string): Promise<void> {
  for await (const _ of readLines(join(dir, files.sends), savedSendSchema));
  for await (const _ of readLines(join(dir, files.events), savedEventSchema));
  await readJson(join(dir, files.numbers), numbersSchema);
}

/**
 * Writes the sends, events and numbers of a backup to Redis. Call it after the end of the session's run has deleted the former
 * account's data. No send is sent again: one that had not settled becomes `unknown`. One that Redis has already stays as it is.
 */
export async function restoreSession(
  redis: Redis,
  { session, wid }: Pick<SavedSession, 'session' | 'wid'>,
  dir: string,
  signal: AbortSignal,
): Promise<{ readonly sends: number; readonly events: number }> {
  const k = sessionKeys(session);
  // First, so that another login also deletes what a restore that dies now leaves behind.
  if (wid !== null) {
    const account = await withQuarantine(redis, [k.account], () => redis.get(k.account));
    await redis.set(k.account, `${accountGeneration(account)} ${wid}`);
  }
  const sends = await restoreSends(redis, session, dir, signal);
  const events = await restoreEvents(redis, k.events, dir, signal);
  const numbers = Object.entries(await readJson(join(dir, files.numbers), numbersSchema));
  for (let from = 0; from < numbers.length; from += 1_000) {
    signal.throwIfAborted();
    const some = Object.fromEntries(numbers.slice(from, from + 1_000));
    await withQuarantine(redis, [k.lids], () => redis.hset(k.lids, some));
  }
  return { sends, events };
}

async function restoreSends(
  redis: Redis,
  session: string,
  dir: string,
  signal: AbortSignal,
): Promise<number> {
  const nowMs = Math.round(await redisTimeMs(redis));
  const oldest = nowMs - settledSendAgeS * 1_000;
  // All sends of a batch write to it at once, and only one of them would find it to move.
  await quarantineWrongTypes(redis, [queueKey(sendsQueue(session), 'completed')]);
  let count = 0;
  for await (const batch of readLines(join(dir, files.sends), savedSendSchema)) {
    signal.throwIfAborted();
    const kept = batch.filter(({ finishedOn }) => finishedOn === null || finishedOn >= oldest);
    const replies = await Promise.all(kept.map((send) => restoreSend(redis, session, send, nowMs)));
    count += replies.filter((reply) => reply === 1).length;
  }
  return count;
}

function restoreSend(redis: Redis, session: string, send: SavedSend, nowMs: number): Promise<number> {
  const { id, outcome } = send;
  const finishedOn = send.finishedOn ?? nowMs;
  const fields = {
    ...send.fields,
    returnvalue: JSON.stringify(outcome ?? unsettled),
    finishedOn: String(finishedOn),
  };
  const keys = [sendJobKey(session, id), queueKey(sendsQueue(session), 'completed')];
  return restoreSendScript(redis, keys, [id, finishedOn, ...Object.entries(fields).flat()]);
}

// KEYS job completed
// ARGV id finishedOn, then fields and values
// returns 1, or 0 if there is such a job
const restoreSendScript = luaScript<number>(
  'restoreSend',
  2,
  `if redis.call('HLEN', KEYS[1]) > 0 then return 0 end
   redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
   for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
   return 1`,
);

/** Replaces the stream: the ids of a backup are older than those that Redis gave since. */
async function restoreEvents(redis: Redis, key: string, dir: string, signal: AbortSignal): Promise<number> {
  let count = 0;
  for await (const batch of readLines(join(dir, files.events), savedEventSchema)) {
    signal.throwIfAborted();
    const pipeline = redis.pipeline();
    if (count === 0) pipeline.unlink(key);
    for (const [id, fields] of batch) pipeline.xadd(key, id, ...fields);
    for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
    count += batch.length;
  }
  return count;
}
