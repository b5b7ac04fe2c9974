import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type SendOutcome, sendOutcomeSchema } from '../contract/command-jobs.js';
import { parseAs, parseJson } from '../contract/json.js';
import { attemptKey, queueKey, sendJobKey, sessionKeys } from '../contract/keys.js';
import { sendsQueue } from '../contract/names.js';
import { isWrongType } from '../platform/data-errors.js';
import type { Redis } from '../platform/redis/connection.js';
import { luaScript } from '../platform/redis/lua-script.js';
import { accountWid } from '../platform/store/account-cleanup.js';
import { parseSendRecord } from '../platform/store/send-attempts.js';
import {
  files,
  type SavedEvent,
  type SavedSend,
  type SavedSession,
  savedEventSchema,
  savedSendSchema,
} from './contents.js';
import { writeJson, writeLines } from './saved-data.js';

const batchSize = 200;

export type SavedData = Pick<SavedSession, 'counts' | 'wid' | 'problem'>;

/**
 * Writes a session's sends, events and numbers from Redis to files in `dir`. The session may run meanwhile. The texts of
 * messages that wait to be sent are left out: a restore never sends them. So is what a restore would not accept: sends and
 * events that this product did not write. So is what a key of a wrong type should hold: the result says so. The key stays as it is.
 */
export async function saveSession(
  redis: Redis,
  session: string,
  dir: string,
  signal: AbortSignal,
): Promise<SavedData> {
  const k = sessionKeys(session);
  const problems: string[] = [];
  const source: Source = {
    redis,
    session,
    signal,
    onWrongType: (key, what) =>
      problems.push(`${what} cannot be read: the key ${key} in Redis has a wrong type`),
  };
  const account = await orWrongType(source, k.account, 'its account', null, () => redis.get(k.account));
  let settledSends = 0;
  const sends = await writeLines(join(dir, files.sends), countSettled(readSends(source)));
  const events = await writeLines(join(dir, files.events), readAllEvents(source));
  const numbers = await orWrongType(source, k.lids, 'its numbers', {}, () => redis.hgetall(k.lids));
  await writeJson(join(dir, files.numbers), numbers);
  return {
    wid: accountWid(account),
    counts: { settledSends, unsettledSends: sends - settledSends, events },
    problem: problems.length === 0 ? null : problems.join('; '),
  };

  async function* countSettled(batches: AsyncIterable<SavedSend[]>): AsyncGenerator<SavedSend[]> {
    for await (const batch of batches) {
      settledSends += batch.filter(({ outcome }) => outcome !== null).length;
      yield batch;
    }
  }
}

interface Source {
  readonly redis: Redis;
  readonly session: string;
  readonly signal: AbortSignal;
  /** `what`: what of the session is left out because of this key. */
  readonly onWrongType: (key: string, what: string) => void;
}

async function orWrongType<T>(
  { onWrongType }: Source,
  key: string,
  what: string,
  none: T,
  read: () => Promise<T>,
): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!isWrongType(error)) throw error;
    onWrongType(key, what);
    return none;
  }
}

/** The same without data, in place of what is there. */
export async function saveNoData(dir: string): Promise<typeof noData> {
  for (const [name, content] of [
    [files.sends, ''],
    [files.events, ''],
    [files.numbers, '{}'],
  ] as const) {
    await writeFile(join(dir, name), content, { mode: 0o600 });
  }
  return noData;
}

export const noData = {
  wid: null,
  counts: { settledSends: 0, unsettledSends: 0, events: 0 },
  problem: null,
} as const;

async function* readSends({ redis, session, signal, onWrongType }: Source): AsyncGenerator<SavedSend[]> {
  const lists = ['wait', 'active', 'paused', 'completed', 'failed'];
  const keys = lists.map((list) => queueKey(sendsQueue(session), list));
  const [found, wrong] = await listSendsScript(redis, keys, []);
  for (const key of wrong) onWrongType(key, 'some of its sends');
  const ids = found.filter((id) => savedSendSchema.shape.id.safeParse(id).success);
  for (let from = 0; from < ids.length; from += batchSize) {
    signal.throwIfAborted();
    const batch = ids.slice(from, from + batchSize);
    const pipeline = redis.pipeline();
    for (const id of batch) pipeline.hgetall(sendJobKey(session, id)).get(attemptKey(session, id));
    const replies = (await pipeline.exec()) ?? [];
    yield batch.flatMap((id, n) => savedSend(id, replies[2 * n], replies[2 * n + 1]) ?? []);
  }
}

// KEYS lists and sorted sets of job ids
// returns the ids, and the keys that are neither
// One script, because a job may move from a list to one that was read before.
const listSendsScript = luaScript<[ids: string[], wrong: string[]]>(
  'listSends',
  5,
  `local commands = { list = 'LRANGE', zset = 'ZRANGE' }
   local ids, wrong = {}, {}
   for _, key in ipairs(KEYS) do
     local found = redis.call('TYPE', key).ok
     if commands[found] then
       for _, id in ipairs(redis.call(commands[found], key, 0, -1)) do ids[#ids + 1] = id end
     elseif found ~= 'none' then wrong[#wrong + 1] = key end
   end
   return { ids, wrong }`,
);

type Reply = readonly [error: Error | null, value: unknown] | undefined;

/** null: there is no such job (any more), or its key cannot be used. */
function savedSend(id: string, job: Reply, record: Reply): SavedSend | null {
  const fields = replyOf(job) as Record<string, string> | null;
  if (fields?.timestamp === undefined) return null;
  const { data, ...others } = fields;
  const outcome = outcomeOf(fields.returnvalue, replyOf(record) as string | null);
  const finishedOn = Number(fields.finishedOn ?? fields.processedOn ?? fields.timestamp);
  return {
    id,
    fields: { ...others, ...(data === undefined ? {} : { data: withoutText(data) }) },
    outcome,
    finishedOn: outcome === null || !Number.isFinite(finishedOn) ? null : finishedOn,
  };
}

/** null for a key of another type. Throws the other errors of Redis. */
function replyOf(reply: Reply): unknown {
  const error = reply?.[0];
  if (error) {
    if (isWrongType(error)) return null;
    throw error;
  }
  return reply?.[1] ?? null;
}

/** As http/commands/send-status.ts reads it, without what depends on the time. */
function outcomeOf(returned: string | undefined, record: string | null): SendOutcome | null {
  return parseAs(sendOutcomeSchema, returned) ?? parseSendRecord(record)?.outcome ?? null;
}

function withoutText(data: string): string {
  const send = parseJson(data);
  return typeof send === 'object' && send !== null && !Array.isArray(send)
    ? JSON.stringify({ ...send, message: null })
    : data;
}

async function* readAllEvents(source: Source): AsyncGenerator<SavedEvent[]> {
  const { redis, session, signal } = source;
  const { events } = sessionKeys(session);
  let start = '-';
  for (;;) {
    signal.throwIfAborted();
    const page = await orWrongType(source, events, 'its events', [], () =>
      redis.xrange(events, start, '+', 'COUNT', batchSize),
    );
    yield page.filter((entry): entry is SavedEvent => savedEventSchema.safeParse(entry).success);
    const last = page.at(-1);
    if (page.length < batchSize || last === undefined) return;
    start = `(${last[0]}`;
  }
}
