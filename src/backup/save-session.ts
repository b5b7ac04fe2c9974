import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type SendOutcome, sendOutcomeSchema } from '../contract/command-jobs.js';
import { parseAs, parseJson } from '../contract/json.js';
import { attemptKey, queueKey, sendJobKey, sessionKeys } from '../contract/keys.js';
import { sendsQueue } from '../contract/names.js';
import type { Redis } from '../platform/redis/connection.js';
import { luaScript } from '../platform/redis/lua-script.js';
import { withQuarantine } from '../platform/redis/quarantine.js';
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

/**
 * Writes a session's sends, events and numbers from Redis to files in `dir`. The session may run meanwhile. The texts of
 * messages that wait to be sent are left out: a restore never sends them. So is what a restore would not accept: sends and
 * events that this product did not write.
 */
export async function saveSession(
  redis: Redis,
  session: string,
  dir: string,
  signal: AbortSignal,
): Promise<Pick<SavedSession, 'counts' | 'wid'>> {
  const k = sessionKeys(session);
  const account = await withQuarantine(redis, [k.account], () => redis.get(k.account));
  let settledSends = 0;
  const sends = await writeLines(join(dir, files.sends), countSettled(readSends(redis, session, signal)));
  const events = await writeLines(join(dir, files.events), readAllEvents(redis, session, signal));
  const numbers = await withQuarantine(redis, [k.lids], () => redis.hgetall(k.lids));
  await writeJson(join(dir, files.numbers), numbers);
  return {
    wid: accountWid(account),
    counts: { settledSends, unsettledSends: sends - settledSends, events },
  };

  async function* countSettled(batches: AsyncIterable<SavedSend[]>): AsyncGenerator<SavedSend[]> {
    for await (const batch of batches) {
      settledSends += batch.filter(({ outcome }) => outcome !== null).length;
      yield batch;
    }
  }
}

/** The same without data, in place of what is there. */
export async function saveNoData(dir: string): Promise<Pick<SavedSession, 'counts' | 'wid'>> {
  for (const [name, content] of [
    [files.sends, ''],
    [files.events, ''],
    [files.numbers, '{}'],
  ] as const) {
    await writeFile(join(dir, name), content, { mode: 0o600 });
  }
  return noData;
}

export const noData = { wid: null, counts: { settledSends: 0, unsettledSends: 0, events: 0 } } as const;

async function* readSends(redis: Redis, session: string, signal: AbortSignal): AsyncGenerator<SavedSend[]> {
  const lists = ['wait', 'active', 'paused', 'completed', 'failed'];
  const found = await listSendsScript(
    redis,
    lists.map((list) => queueKey(sendsQueue(session), list)),
    [],
  );
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
// returns the ids
// One script, because a job may move from a list to one that was read before.
const listSendsScript = luaScript<string[]>(
  'listSends',
  5,
  `local ids = {}
   for i = 1, #KEYS do
     local command = redis.call('TYPE', KEYS[i]).ok == 'zset' and 'ZRANGE' or 'LRANGE'
     for _, id in ipairs(redis.call(command, KEYS[i], 0, -1)) do ids[#ids + 1] = id end
   end
   return ids`,
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
    if (/^WRONGTYPE\b/.test(error.message)) return null;
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

async function* readAllEvents(
  redis: Redis,
  session: string,
  signal: AbortSignal,
): AsyncGenerator<SavedEvent[]> {
  const { events } = sessionKeys(session);
  let start = '-';
  for (;;) {
    signal.throwIfAborted();
    const page = await withQuarantine(redis, [events], () =>
      redis.xrange(events, start, '+', 'COUNT', batchSize),
    );
    yield page.filter((entry): entry is SavedEvent => savedEventSchema.safeParse(entry).success);
    const last = page.at(-1);
    if (page.length < batchSize || last === undefined) return;
    start = `(${last[0]}`;
  }
}
