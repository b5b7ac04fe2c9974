import { type CredentialsBackup, describeBackup } from '../../contract/credentials.js';
import { sessionKeys } from '../../contract/keys.js';
import { type Heartbeat, isCurrent, parseHeartbeat, type Status } from '../../contract/status.js';
import type { Redis } from '../../platform/redis.js';
import { parseStatus } from '../../platform/session-store.js';
import { coalesced } from './coalesced-read.js';
import { viaRedis } from './redis-call.js';
import { type OwnFacts, toldStatus } from './standing.js';

/** What everybody may read of a session. Each answer is one round trip to Redis, made for the callers of one turn. */
export interface SessionReader {
  status(): Promise<ToldStatus>;
  /** With what is told of the backup of the login. */
  health(): Promise<ToldStatus & { readonly backup: CredentialsBackup }>;
  /** With the code as base64, or null where none can be scanned now. */
  qrBase64(): Promise<ToldStatus & { readonly image: string | null }>;
  qrPng(): Promise<Buffer | null>;
}

export interface ToldStatus {
  readonly status: Status;
  readonly heartbeat: Heartbeat;
  /** `status` as JSON: what the writer stored, where that may be told as it is. */
  readonly json: string;
}

export function createSessionReader(redis: Redis, own: OwnFacts): SessionReader {
  const k = sessionKeys(own.session);
  const parse = rememberingLast(parseStatus);

  function tell(stored: string | null, beat: string | null): ToldStatus {
    const parsed = parse(stored);
    const heartbeat = parseHeartbeat(beat);
    if (stored !== null && parsed !== null && isCurrent(parsed, heartbeat)) {
      return { status: parsed, heartbeat, json: stored };
    }
    const status = toldStatus(parsed, heartbeat, own);
    return { status, heartbeat, json: JSON.stringify(status) };
  }

  return {
    status: coalesced(async () => {
      const [stored = null, beat = null] = await viaRedis(() => redis.mget(k.state, k.heartbeat));
      return tell(stored, beat);
    }),

    health: coalesced(async () => {
      const [stored = null, beat = null, standing = null, summary = null] = await viaRedis(() =>
        redis.mget(k.state, k.heartbeat, k.backupStanding, k.backupSummary),
      );
      return { ...tell(stored, beat), backup: describeBackup(standing, summary) };
    }),

    qrBase64: coalesced(async () => {
      const [stored = null, beat = null, image = null] = await viaRedis(() =>
        redis.mget(k.state, k.heartbeat, k.qrBase64),
      );
      const told = tell(stored, beat);
      return { ...told, image: canBeScanned(told) ? image : null };
    }),

    qrPng: coalesced(async () => {
      const [stored, beat, image] = await viaRedis(() => redis.mgetBuffer(k.state, k.heartbeat, k.qrPng));
      const told = tell(stored?.toString() ?? null, beat?.toString() ?? null);
      return canBeScanned(told) ? (image ?? null) : null;
    }),
  };
}

function canBeScanned({ status, heartbeat }: ToldStatus): boolean {
  return status.has_qr && heartbeat === 'live';
}

/** Most reads find what the last one found: checking the same text again would be most of the work. */
function rememberingLast<T>(parse: (text: string | null) => T): (text: string | null) => T {
  let last: { readonly text: string | null; readonly value: T } | null = null;
  return (text) => {
    if (last === null || last.text !== text) last = { text, value: parse(text) };
    return last.value;
  };
}
