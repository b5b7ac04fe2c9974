import { readsQueue, runJobId, sendsQueue, sessionsQueue } from './names.js';

/**
 * Every Redis key of the product. All stand under one hash tag, `{wa}`, because the claim of a run reads
 * BullMQ's lock and the session's fence in one script: a deployment lives in one slot of a Redis Cluster.
 */
export const keyPrefix = '{wa}';

/**
 * Never written. It is named where Redis is asked whether it would carry a command out, as a channel too, and waited for by those
 * who are to hear that their Redis has become a replica.
 */
export const absentKey = `${keyPrefix}:absent`;

/** TTL'd members, one a living supervisor; sorted set by the time (Redis ms) at which each lapses. */
export const supervisorsKey = `${keyPrefix}:supervisors`;

/** Hash of the same members: how many more sessions each has room for. */
export const roomsKey = `${keyPrefix}:supervisors:room`;

/** Pub/sub channel: the name of a session whose `intent` changed. Only a hint to look now. */
export const intentChannel = `${keyPrefix}:intent`;

/** What the limits of requests count; by limiter, then key or address. */
export const limitsPrefix = `${keyPrefix}:limit`;

/**
 * Strings with a TTL, JSON of who opened them: a browser's login, a one-time link to the QR, and the visit of
 * whoever opened one. `digest` is the sha256 of what the browser or the link carries.
 */
export function loginKey(digest: string): string {
  return `${keyPrefix}:login:${digest}`;
}

export function qrLinkKey(digest: string): string {
  return `${keyPrefix}:qr-link:${digest}`;
}

export function qrVisitKey(digest: string): string {
  return `${keyPrefix}:qr-visit:${digest}`;
}

/** Sorted set of such keys by their end (Redis ms); `list` says which kind, and whose. */
export function visitsKey(list: string): string {
  return `${keyPrefix}:visits:${list}`;
}

export interface SessionKeys {
  /** `epoch.incarnation`: the fence that every state write must carry. Survives a logout. */
  readonly fence: string;
  /** The status object as JSON, as `/api/status` sends it. */
  readonly state: string;
  /** The QR as PNG bytes, and the same as base64. Present only while it can be scanned. */
  readonly qrPng: string;
  readonly qrBase64: string;
  /** `live` with a TTL while a supervisor stands behind `state`; `ended` without one after a run's end. */
  readonly heartbeat: string;
  /** JSON {@link Intent}: how somebody wants the run to end. */
  readonly intent: string;
  /** JSON {@link Outcome} of the newest carried-out intent, kept for a minute. */
  readonly outcome: string;
  /** `startId` of the last job whose run ended for good: if that job runs again, it must not. */
  readonly endedStart: string;
  /** Epoch of the last run whose credentials were wiped: a profile of that epoch or older is void. */
  readonly wiped: string;
  /** The newest snapshot of the login and the one before: hashes of sealed pieces by number, and `manifest`. */
  readonly snapshot: string;
  readonly previousSnapshot: string;
  /** JSON `{ taken_at, bytes }` of the newest snapshot. */
  readonly backupSummary: string;
  /** JSON `BackupStatus`: whether the session's owner takes snapshots. */
  readonly backupStatus: string;
  /** Hash from the user of a hidden id to digits, and `@account`: numbers that the account's page has once told. */
  readonly lids: string;
  /** `<number> <wid>`: how often the session's account has ended, and whose events there are; see account-end.ts. */
  readonly account: string;
  /** Capped stream of events; fields `type`, `event` (the event as JSON). */
  readonly events: string;
  /** Hash from a key of the session that was set aside to JSON `{ at, why }`; see platform/set-aside.ts. */
  readonly aside: string;
  /** BullMQ's lock of the run's job; holds the token of the worker that owns the run. */
  readonly lock: string;
  readonly job: string;
  readonly stalled: string;
}

export function sessionKeys(session: string): SessionKeys {
  const own = `${keyPrefix}:s:${session}`;
  const job = `${keyPrefix}:${sessionsQueue}:${runJobId(session)}`;
  return {
    fence: `${own}:fence`,
    state: `${own}:state`,
    qrPng: `${own}:qr:png`,
    qrBase64: `${own}:qr:base64`,
    heartbeat: `${own}:heartbeat`,
    intent: `${own}:intent`,
    outcome: `${own}:outcome`,
    endedStart: `${own}:ended-start`,
    wiped: `${own}:wiped`,
    snapshot: `${own}:credentials`,
    previousSnapshot: `${own}:credentials:previous`,
    backupSummary: `${own}:credentials:summary`,
    backupStatus: `${own}:credentials:standing`,
    lids: `${own}:lids`,
    account: `${own}:account`,
    events: `${own}:events`,
    aside: `${own}:aside`,
    lock: `${job}:lock`,
    job,
    stalled: `${keyPrefix}:${sessionsQueue}:stalled`,
  };
}

/** Hash like a session's `aside`, of keys that are of no session. */
export const asideKey = `${keyPrefix}:aside`;

/** Where a key goes that nobody can use. */
export function setAsideKey(key: string): string {
  return `${asideKey}:${key.slice(keyPrefix.length + 1)}`;
}

/** JSON `SendAttempt` of a send: its page call may have happened. */
export function attemptKey(session: string, jobId: string): string {
  return `${keyPrefix}:s:${session}:attempt:${jobId}`;
}

/** Hash from id to `end:bytes` (Redis ms): what has got room in a queue of commands and is not in it yet. */
export function commandRoomKey(session: string, lane: 'sends' | 'reads'): string {
  return `${keyPrefix}:s:${session}:coming:${lane}`;
}

/** JSON: what a read answers, until whoever asked has fetched it. */
export function answerKey(session: string, jobId: string): string {
  return `${keyPrefix}:s:${session}:answer:${jobId}`;
}

/** Hash from the ids of these to their bytes. */
export function answersKey(session: string): string {
  return `${keyPrefix}:s:${session}:answers`;
}

export function readJobKey(session: string, jobId: string): string {
  return `${keyPrefix}:${readsQueue(session)}:${jobId}`;
}

export function sendJobKey(session: string, jobId: string): string {
  return `${keyPrefix}:${sendsQueue(session)}:${jobId}`;
}

/** A snapshot on its way to Redis: a hash like a snapshot's own, with a TTL. */
export function stagedSnapshotKey(session: string, snapshotId: string): string {
  return `${keyPrefix}:s:${session}:credentials:staged:${snapshotId}`;
}
