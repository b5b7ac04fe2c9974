import { type CredentialsBackupInfo, describeBackup } from '../../contract/credentials.js';
import { sessionKeys } from '../../contract/keys.js';
import { type Heartbeat, parseHeartbeat, type Status } from '../../contract/status.js';
import type { Redis } from '../../platform/redis/connection.js';
import { parseStatus } from '../../platform/store/state-store.js';
import { memoizeLast, oneAtATime } from '../core/coalesce.js';
import { Json } from '../core/responses.js';
import { effectiveStatus, type OwnFacts } from './effective-status.js';
import { viaRedis } from './redis-errors.js';

/**
 * Reads a session for status polls and pages. Callers in the same turn share one round trip to Redis. While Redis has the same
 * values, the answer is the same object.
 */
export interface SessionReader {
  status(): Promise<ToldStatus>;
  /** The status, and the backup of the login. */
  health(): Promise<ToldStatus & { readonly backup: CredentialsBackupInfo }>;
  /** The status, and the QR image as base64; null: there is no QR to scan. */
  qrBase64(): Promise<ToldCode>;
  qrPng(): Promise<Buffer | null>;
}

export interface ToldCode extends ToldStatus {
  readonly image: string | null;
}

export interface ToldStatus {
  readonly status: Status;
  readonly heartbeat: Heartbeat;
  /** `status` as JSON. */
  readonly json: Json<Status>;
}

export function createSessionReader(redis: Redis, own: OwnFacts): SessionReader {
  const k = sessionKeys(own.session);
  const parse = memoizeLast(parseStatus);

  const tell = memoizeLast((stored: string | null, beat: string | null): ToldStatus => {
    const heartbeat = parseHeartbeat(beat);
    const status = effectiveStatus(parse(stored), heartbeat, own);
    return { status, heartbeat, json: new Json(JSON.stringify(status)) };
  });

  const tellWithCode = memoizeLast((told: ToldStatus, image: string | null) => ({
    ...told,
    image: canBeScanned(told) ? image : null,
  }));

  return {
    status: oneAtATime(async () => {
      const [stored = null, beat = null] = await viaRedis(() => redis.mget(k.state, k.heartbeat));
      return tell(stored, beat);
    }),

    health: oneAtATime(async () => {
      const [stored = null, beat = null, standing = null, summary = null] = await viaRedis(() =>
        redis.mget(k.state, k.heartbeat, k.backupStatus, k.backupSummary),
      );
      return { ...tell(stored, beat), backup: describeBackup(standing, summary) };
    }),

    qrBase64: oneAtATime(async () => {
      const [stored = null, beat = null, image = null] = await viaRedis(() =>
        redis.mget(k.state, k.heartbeat, k.qrBase64),
      );
      return tellWithCode(tell(stored, beat), image);
    }),

    qrPng: oneAtATime(async () => {
      const [stored, beat, image] = await viaRedis(() => redis.mgetBuffer(k.state, k.heartbeat, k.qrPng));
      const told = tell(stored?.toString() ?? null, beat?.toString() ?? null);
      return canBeScanned(told) ? (image ?? null) : null;
    }),
  };
}

function canBeScanned({ status, heartbeat }: ToldStatus): boolean {
  return status.has_qr && heartbeat === 'live';
}
