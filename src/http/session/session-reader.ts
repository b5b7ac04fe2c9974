import { type CredentialsBackupInfo, describeBackup } from '../../contract/credentials.js';
import { ApiError } from '../../contract/errors.js';
import { parseAs } from '../../contract/json.js';
import { sessionKeys } from '../../contract/keys.js';
import { type PairingCode, pairingCodeSchema } from '../../contract/pairing-code.js';
import { type Heartbeat, parseHeartbeat, type Status } from '../../contract/status.js';
import type { Redis } from '../../platform/redis/connection.js';
import { parseStatus } from '../../platform/store/state-store.js';
import { memoizeLast, oneAtATime } from '../core/coalesce.js';
import { viaRedis } from '../core/redis-errors.js';
import { Json } from '../core/responses.js';
import { type ConfiguredSession, effectiveStatus } from './effective-status.js';

/** The stored state cannot be parsed. */
export class UnreadableStateError extends ApiError {
  constructor(cause: unknown) {
    super(
      'internal_error',
      'the state of this session in Redis cannot be read; a running session writes it again within seconds, otherwise start the session',
      { cause },
    );
  }
}

/**
 * Reads a session for status polls and pages. Callers in the same turn of the event loop share one round trip to Redis. While the
 * values in Redis do not change, the result is the same object. Each read may throw an {@link UnreadableStateError}.
 */
export interface SessionReader {
  status(): Promise<StatusView>;
  /** The status, and the backup of the login. */
  health(): Promise<StatusView & { readonly backup: CredentialsBackupInfo }>;
  /** The status, and the codes that a phone accepts now. */
  qr(): Promise<QrView>;
  qrPng(): Promise<Buffer | null>;
}

export interface QrView extends StatusView {
  /** The QR as base64 of a PNG; null: there is none to scan. */
  readonly image: string | null;
  /** null: there is none to type. */
  readonly pairingCode: PairingCode | null;
  /** Why the login was lost; null: it was not, or a phone is linked again. */
  readonly loginLost: string | null;
}

export interface StatusView {
  readonly status: Status;
  readonly heartbeat: Heartbeat;
  /** `status` as JSON. */
  readonly json: Json<Status>;
}

export function createSessionReader(redis: Redis, configured: ConfiguredSession): SessionReader {
  const k = sessionKeys(configured.session);
  const parse = memoizeLast(parseStored);

  const viewOf = memoizeLast((stored: string | null, beat: string | null): StatusView => {
    const heartbeat = parseHeartbeat(beat);
    const status = effectiveStatus(parse(stored), heartbeat, configured);
    return { status, heartbeat, json: new Json(JSON.stringify(status)) };
  });

  const withCodes = memoizeLast(
    (view: StatusView, image: string | null, pairing: string | null, loginLost: string | null): QrView => ({
      ...view,
      image: canBeScanned(view) ? image : null,
      pairingCode: canBeTyped(view) ? parseAs(pairingCodeSchema, pairing) : null,
      loginLost,
    }),
  );

  return {
    status: oneAtATime(async () => {
      const [stored = null, beat = null] = await viaRedis(() => redis.mget(k.state, k.heartbeat));
      return viewOf(stored, beat);
    }),

    health: oneAtATime(async () => {
      const [stored = null, beat = null, backupStatus = null, summary = null] = await viaRedis(() =>
        redis.mget(k.state, k.heartbeat, k.backupStatus, k.backupSummary),
      );
      return { ...viewOf(stored, beat), backup: describeBackup(backupStatus, summary) };
    }),

    qr: oneAtATime(async () => {
      const [stored = null, beat = null, image = null, pairing = null, lost = null] = await viaRedis(() =>
        redis.mget(k.state, k.heartbeat, k.qrBase64, k.pairingCode, k.loginLost),
      );
      return withCodes(viewOf(stored, beat), image, pairing, lost);
    }),

    qrPng: oneAtATime(async () => {
      const [stored, beat, image] = await viaRedis(() => redis.mgetBuffer(k.state, k.heartbeat, k.qrPng));
      const view = viewOf(stored?.toString() ?? null, beat?.toString() ?? null);
      return canBeScanned(view) ? (image ?? null) : null;
    }),
  };
}

function parseStored(json: string | null): Status | null {
  try {
    return parseStatus(json);
  } catch (error) {
    throw new UnreadableStateError(error);
  }
}

function canBeTyped({ status, heartbeat }: StatusView): boolean {
  return status.state === 'qr' && !status.has_qr && heartbeat === 'live';
}

function canBeScanned({ status, heartbeat }: StatusView): boolean {
  return status.has_qr && heartbeat === 'live';
}
