import { attemptKey, keyPrefix, readJobKey, sessionKeys } from '../../contract/keys.js';
import { sendsQueue } from '../../contract/names.js';
import { type SendJob, sendJobSchema } from '../../contract/send-jobs.js';
import type { Redis } from '../../platform/redis.js';
import { parseSendRecord, type SendRecord } from '../../platform/send-records.js';
import { batched } from '../session/coalesced-read.js';
import { repliesOf, viaRedis } from '../session/redis-call.js';

/** What Redis holds of a job at one moment, without its data. */
export interface JobLook {
  /** null: there is no such job. */
  readonly job: JobRecord | null;
  /** Of a send: what its owner has recorded beside the job. */
  readonly record: SendRecord | null;
  /** The newest wipe of credentials; 0 before any. */
  readonly wipedEpoch: number;
  /** Somebody stands behind the session. */
  readonly isOwned: boolean;
  /** Time of Redis. */
  readonly nowMs: number;
}

/** BullMQ's own fields of a job; times in ms. */
export interface JobRecord {
  readonly timestamp: number;
  readonly processedOn: number | null;
  readonly finishedOn: number | null;
  /** JSON; null unless it completed. */
  readonly returnvalue: string | null;
  readonly attemptsStarted: number;
}

/** All who wait on this replica look in the same turn, and share one round trip. */
export interface JobLooks {
  send(id: string): Promise<JobLook>;
  read(id: string): Promise<JobLook>;
  /** null: there is no such job. */
  sendData(id: string): Promise<SendJob | null>;
}

export function createJobLooks(redis: Redis, session: string): JobLooks {
  const sendKey = (id: string) => `${keyPrefix}:${sendsQueue(session)}:${id}`;
  const look = batched((refs: readonly JobRef[]) => viaRedis(() => lookTogether(redis, session, refs)));
  return {
    send: (id) => look({ key: sendKey(id), recordKey: attemptKey(session, id) }),
    read: (id) => look({ key: readJobKey(session, id), recordKey: null }),
    async sendData(id) {
      const data = await viaRedis(() => redis.hget(sendKey(id), 'data'));
      return data === null ? null : sendJobSchema.parse(JSON.parse(data));
    },
  };
}

interface JobRef {
  readonly key: string;
  readonly recordKey: string | null;
}

type Reply = readonly (string | null)[];

const fields = ['timestamp', 'processedOn', 'finishedOn', 'returnvalue', 'ats'] as const;

async function lookTogether(redis: Redis, session: string, refs: readonly JobRef[]): Promise<JobLook[]> {
  const k = sessionKeys(session);
  const pipeline = redis.pipeline().time().mget(k.wiped, k.heartbeat);
  const recordKeys = refs.flatMap(({ recordKey }) => recordKey ?? []);
  for (const { key } of refs) pipeline.hmget(key, ...fields);
  if (recordKeys.length > 0) pipeline.mget(...recordKeys);
  const replies = (await repliesOf(pipeline)) as Reply[];

  const [[seconds, micros] = [], [wiped, heartbeat] = [], ...jobs] = replies;
  const records = recordKeys.length > 0 ? [...(jobs.pop() ?? [])] : [];
  const nowMs = Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  return refs.map(({ recordKey }, i) => ({
    job: parseJob(jobs[i] ?? []),
    record: recordKey === null ? null : parseSendRecord(records.shift() ?? null),
    wipedEpoch: Number(wiped ?? 0),
    isOwned: heartbeat === 'live',
    nowMs,
  }));
}

function parseJob([timestamp, processedOn, finishedOn, returnvalue, started]: Reply): JobRecord | null {
  if (timestamp == null) return null;
  return {
    timestamp: Number(timestamp),
    processedOn: numberOf(processedOn),
    finishedOn: numberOf(finishedOn),
    returnvalue: returnvalue ?? null,
    attemptsStarted: Number(started ?? 0),
  };
}

function numberOf(text: string | null | undefined): number | null {
  return text == null ? null : Number(text);
}
