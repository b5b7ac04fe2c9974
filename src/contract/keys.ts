import { readsQueue, runJobId, sendsQueue, sessionsQueue } from './names.js';

/**
 * Every Redis key of the product. All share one hash tag, `{wa}`, and so one slot of a Redis Cluster: the claim of a run
 * reads BullMQ's lock and the session's fence in one script.
 */
export const keyPrefix = '{wa}';

/**
 * Never written. Names the key or channel in commands that only test what Redis permits, and in blocking commands whose error
 * reports that a master has become a replica.
 */
export const absentKey = `${keyPrefix}:absent`;

/** Sorted set of the living supervisors, by the time (Redis ms) at which each registration expires. */
export const supervisorsKey = `${keyPrefix}:supervisors`;

/** Hash of the same members: how many more sessions each can take. */
export const supervisorRoomKey = `${keyPrefix}:supervisors:room`;

/** Hash of the same members: JSON, what each tells of itself. */
export const supervisorFactsKey = `${keyPrefix}:supervisors:facts`;

/** `<room> <capacity> <starts>` of all of them together, with a TTL; see places.ts. Missing: none is alive. */
export const supervisorPlacesKey = `${keyPrefix}:supervisors:places`;

/** Sorted set with a TTL: ends the blocking read of one supervisor. */
export function supervisorWakeKey(supervisor: string): string {
  return `${supervisorsKey}:wake:${supervisor}`;
}

/** Hash from the name of a session to JSON `SessionRecord`: the register of sessions. `default` is there only if it is configured. */
export const registerKey = `${keyPrefix}:register`;

/** Sorted set of the names of all sessions, `default` among them, each with score 0: their order in lists. */
export const registerNamesKey = `${keyPrefix}:register:names`;

/** A supervisor has registered what this Redis had lost. Missing: Redis is new, or has lost its data, and sessions may be missing. */
export const registerCheckedKey = `${keyPrefix}:register:checked`;

/**
 * Capped stream: the order of the events of all sessions. Field `s`: the session whose stream has the event under the same id.
 * Field `first`: no entry was ever before it.
 */
export const eventIndexKey = `${keyPrefix}:events`;

/** Pub/sub channel: the name of a session whose `intent` or configuration changed. A hint only: messages may be lost. */
export const intentChannel = `${keyPrefix}:intent`;

/** Counters of the rate limits; by limiter, then key or address. */
export const limitsPrefix = `${keyPrefix}:limit`;

/**
 * Strings with a TTL, JSON: a browser's login, a one-time link to the QR, and the guest access of a browser that opened such a
 * link. `digest` is the sha256 of the secret in the cookie or link.
 */
export function loginKey(digest: string): string {
  return `${keyPrefix}:login:${digest}`;
}

export function qrLinkKey(digest: string): string {
  return `${keyPrefix}:qr-link:${digest}`;
}

export function guestLoginKey(digest: string): string {
  return `${keyPrefix}:qr-visit:${digest}`;
}

/** String with a TTL: the session of a link that was used up. */
export function usedQrLinkKey(digest: string): string {
  return `${keyPrefix}:qr-link-used:${digest}`;
}

/** Sorted set of such keys by their expiry (Redis ms); `list` names the kind and the owner. */
export function loginIndexKey(list: string): string {
  return `${keyPrefix}:visits:${list}`;
}

/** Hash from the sha256 of an API key that was made while the product ran (hex) to JSON `{ name, scope, sessions, created_at, expires_at }`. */
export const apiKeysKey = `${keyPrefix}:api-keys`;

/** A key of BullMQ's in a queue: one of its own, such as `wait`, or a job's, by id. `name` `''`: the prefix of them all. */
export function queueKey(queue: string, name: string): string {
  return `${keyPrefix}:${queue}:${name}`;
}

/** The lists of a session's unsettled commands: waiting sends, active sends, waiting reads, active reads. */
export function commandLists(session: string): string[] {
  return [sendsQueue(session), readsQueue(session)].flatMap((queue) => [
    queueKey(queue, 'wait'),
    queueKey(queue, 'active'),
  ]);
}

export interface SessionKeys {
  /** `epoch.incarnation`: the fence that every state write must carry. Survives a logout. */
  readonly fence: string;
  /** The status object as JSON, as `/api/status` sends it. */
  readonly state: string;
  /** The QR as PNG bytes, and the same as base64. Present only while it can be scanned. */
  readonly qrPng: string;
  readonly qrBase64: string;
  /** JSON `PairingCode`. Present only while it can be typed on the phone. */
  readonly pairingCode: string;
  /** JSON `OpenPasskey`: what only an admin may see of the open request for a passkey. Present while it can be answered or compared. */
  readonly passkey: string;
  /** A sentence: why the login was lost, and a new one is needed. Present until a phone is linked, or until a logout. */
  readonly loginLost: string;
  /** `live`, with a TTL, while a supervisor keeps `state` up to date; `ended`, without a TTL, after the run. */
  readonly heartbeat: string;
  /** JSON `Intent`: a request to end the run. */
  readonly intent: string;
  /** JSON `IntentOutcome` of the newest intent that was carried out, kept for a minute. */
  readonly outcome: string;
  /** `startId` of the newest job. Unless it is `endedStart`, the session is to run. */
  readonly start: string;
  /** `startId` of the last job whose run ended for good: that job must not run again. */
  readonly endedStart: string;
  /** Epoch of the last run whose credentials were wiped: a profile of that epoch or older is void. */
  readonly wiped: string;
  /** The newest snapshot of the login and the one before: hashes of encrypted pieces by number, and `manifest`. */
  readonly snapshot: string;
  readonly previousSnapshot: string;
  /** JSON `{ taken_at, bytes }` of the newest snapshot. */
  readonly backupSummary: string;
  /** JSON `BackupStatus`: whether the session's owner takes snapshots. */
  readonly backupStatus: string;
  /** Hash from hidden ids (user part) to the digits that the page has shown for them; `@account` names the account. */
  readonly lids: string;
  /** `<number> <wid>`: how many accounts of the session have ended, and whose events are stored; see platform/store/account-cleanup.ts. */
  readonly account: string;
  /** Capped stream of events; fields `type`, `event` (the event as JSON). */
  readonly events: string;
  /** Hash from a key of the session in quarantine to JSON `{ at, why }`; see platform/redis/quarantine.ts. */
  readonly quarantineIndex: string;
  /** BullMQ's lock of the run's job; holds the token of the worker that owns the run, or `restore:…` during a restore. */
  readonly lock: string;
  readonly job: string;
  readonly stalled: string;
}

export function sessionKeys(session: string): SessionKeys {
  const own = `${keyPrefix}:s:${session}`;
  const job = queueKey(sessionsQueue, runJobId(session));
  return {
    fence: `${own}:fence`,
    state: `${own}:state`,
    qrPng: `${own}:qr:png`,
    qrBase64: `${own}:qr:base64`,
    pairingCode: `${own}:pairing-code`,
    passkey: `${own}:passkey`,
    loginLost: `${own}:login-lost`,
    heartbeat: `${own}:heartbeat`,
    intent: `${own}:intent`,
    outcome: `${own}:outcome`,
    start: `${own}:start`,
    endedStart: `${own}:ended-start`,
    wiped: `${own}:wiped`,
    snapshot: `${own}:credentials`,
    previousSnapshot: `${own}:credentials:previous`,
    backupSummary: `${own}:credentials:summary`,
    backupStatus: `${own}:credentials:standing`,
    lids: `${own}:lids`,
    account: `${own}:account`,
    events: `${own}:events`,
    quarantineIndex: `${own}:aside`,
    lock: `${job}:lock`,
    job,
    stalled: queueKey(sessionsQueue, 'stalled'),
  };
}

/** The quarantine index of the keys that belong to no session. */
export const quarantineIndexKey = `${keyPrefix}:aside`;

/** The name under which an unusable key is kept. */
export function quarantineKey(key: string): string {
  return `${quarantineIndexKey}:${key.slice(keyPrefix.length + 1)}`;
}

/** JSON `SendAttempt` of a send. While the key exists, the call into the page may have happened. */
export function attemptKey(session: string, jobId: string): string {
  return `${keyPrefix}:s:${session}:attempt:${jobId}`;
}

/** Hash from id to `end:bytes` (`end` in Redis ms): room reserved in a queue of commands for jobs not yet added. */
export function commandRoomKey(session: string, queue: 'sends' | 'reads'): string {
  return `${keyPrefix}:s:${session}:coming:${queue}`;
}

/** JSON: the answer to a read, until its caller has fetched it. */
export function answerKey(session: string, jobId: string): string {
  return `${keyPrefix}:s:${session}:answer:${jobId}`;
}

/** JSON `PasskeyCredential`, for seconds: the owner's answer on its way to the session worker. `token` names it in the command. */
export function passkeyAnswerKey(session: string, token: string): string {
  return `${keyPrefix}:s:${session}:passkey-answer:${token}`;
}

/** Hash from job id to the bytes of its answer. */
export function answersKey(session: string): string {
  return `${keyPrefix}:s:${session}:answers`;
}

export function readJobKey(session: string, jobId: string): string {
  return queueKey(readsQueue(session), jobId);
}

export function sendJobKey(session: string, jobId: string): string {
  return queueKey(sendsQueue(session), jobId);
}

/** A snapshot that is being uploaded: a hash like a snapshot's own, with a TTL. */
export function stagedSnapshotKey(session: string, snapshotId: string): string {
  return `${keyPrefix}:s:${session}:credentials:staged:${snapshotId}`;
}
