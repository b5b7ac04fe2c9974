import { type SendJob, sendJobSchema } from '../../contract/command-jobs.js';
import { attemptKey, readJobKey, sendJobKey, sessionKeys } from '../../contract/keys.js';
import { parseHeartbeat } from '../../contract/status.js';
import { isDataError } from '../../platform/data-errors.js';
import { msOfTime, type Redis } from '../../platform/redis/connection.js';
import { parseSendRecord, type SendRecord } from '../../platform/store/send-attempts.js';
import { parseWipedEpoch } from '../../platform/store/wipe-store.js';
import { batched } from '../core/coalesce.js';
import { repliesUnlessWrongType, viaRedis, wrongType } from '../core/redis-errors.js';

/** What Redis has of a job at one moment, without its data. */
export interface StoredJob {
  /** null: there is no such job. */
  readonly job: JobRecord | null;
  /** The job's key has another type. */
  readonly isUnusable: boolean;
  /** What the owner has recorded about a send. */
  readonly record: SendRecord | null;
  /** The newest wipe of credentials; 0 before any. */
  readonly wipedEpoch: number;
  /** The session has a live owner. */
  readonly isOwned: boolean;
  /** Time of Redis. */
  readonly nowMs: number;
}

/** Fields that BullMQ keeps for a job. Times are in ms. */
export interface JobRecord {
  readonly timestamp: number;
  readonly processedOn: number | null;
  readonly finishedOn: number | null;
  /** JSON; null unless it completed. */
  readonly returnvalue: string | null;
  readonly attemptsStarted: number;
}

/** Reads jobs. Callers in the same turn of the event loop share one round trip to Redis. */
export interface JobReader {
  findSend(id: string): Promise<StoredJob>;
  findRead(id: string): Promise<StoredJob>;
  /** null: there is no such job; `unreadable`: its data cannot be parsed. */
  findSendData(id: string): Promise<SendJob | 'unreadable' | null>;
}

export function createJobReader(redis: Redis, session: string): JobReader {
  const find = batched((refs: readonly JobRef[]) => viaRedis(() => readTogether(redis, session, refs)));
  return {
    findSend: (id) => find({ key: sendJobKey(session, id), recordKey: attemptKey(session, id) }),
    findRead: (id) => find({ key: readJobKey(session, id), recordKey: null }),
    async findSendData(id) {
      const key = sendJobKey(session, id);
      try {
        const data = await viaRedis(() => redis.hget(key, 'data'));
        return data === null ? null : sendJobSchema.parse(JSON.parse(data));
      } catch (error) {
        if (!isDataError(error)) throw error;
        return 'unreadable';
      }
    },
  };
}

interface JobRef {
  readonly key: string;
  readonly recordKey: string | null;
}

type Reply = readonly (string | null)[];

const fields = ['timestamp', 'processedOn', 'finishedOn', 'returnvalue', 'ats'] as const;

/** Sends one command for each key, so that a key of another type fails only for its own job. */
async function readTogether(redis: Redis, session: string, refs: readonly JobRef[]): Promise<StoredJob[]> {
  const k = sessionKeys(session);
  const pipeline = redis.pipeline().time().mget(k.wiped, k.heartbeat);
  for (const { key, recordKey } of refs) {
    pipeline.hmget(key, ...fields);
    if (recordKey !== null) pipeline.get(recordKey);
  }
  const [time, ofSession, ...replies] = await repliesUnlessWrongType(pipeline);
  const [wiped, heartbeat] = ofSession as Reply;
  const nowMs = msOfTime(time as Reply);
  return refs.map(({ recordKey }) => {
    const job = replies.shift();
    const record = recordKey === null ? null : replies.shift();
    return {
      job: parseJob(job === wrongType ? [] : (job as Reply)),
      isUnusable: job === wrongType,
      record: parseSendRecord(record === wrongType ? '' : (record as string | null)),
      wipedEpoch: parseWipedEpoch(wiped) ?? 0,
      isOwned: parseHeartbeat(heartbeat ?? null) === 'live',
      nowMs,
    };
  });
}

function parseJob([timestamp, processedOn, finishedOn, returnvalue, started]: Reply): JobRecord | null {
  if (timestamp == null) return null;
  return {
    timestamp: numberOf(timestamp) ?? 0,
    processedOn: numberOf(processedOn),
    finishedOn: numberOf(finishedOn),
    returnvalue: returnvalue ?? null,
    attemptsStarted: numberOf(started) ?? 0,
  };
}

/** null: it is missing or not a number. */
function numberOf(text: string | null | undefined): number | null {
  return /^\d{1,15}$/.test(text ?? '') ? Number(text) : null;
}
