import { type CredentialsBackupInfo, describeBackup } from '../../contract/credentials.js';
import { ApiError } from '../../contract/errors.js';
import { parseAs } from '../../contract/json.js';
import { sessionKeys, supervisorPlacesKey } from '../../contract/keys.js';
import { type PairingCode, pairingCodeSchema } from '../../contract/pairing-code.js';
import { type OpenPasskey, openPasskeySchema, type PasskeyStatus } from '../../contract/passkey.js';
import { parsePlaces } from '../../contract/places.js';
import { type Heartbeat, parseHeartbeat, type Status } from '../../contract/status.js';
import type { Redis } from '../../platform/redis/connection.js';
import { parseStatus } from '../../platform/store/state-store.js';
import { memoizeLast, oneAtATime } from '../core/coalesce.js';
import { viaRedis } from '../core/redis-errors.js';
import { Json } from '../core/responses.js';
import { type ConfiguredSession, effectiveStatus, type StatusCaller, toldTo } from './effective-status.js';

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
 * Reads a session for status polls and pages, as the caller may see it. Callers in the same turn of the event loop share one round
 * trip to Redis. While the values in Redis do not change, the result is the same object, unless the caller may not see the whole
 * status. Each read may throw an {@link UnreadableStateError}.
 */
export interface SessionReader {
  status(caller: StatusCaller): Promise<StatusView>;
  /** The status, and the backup of the login. */
  health(caller: StatusCaller): Promise<StatusView & { readonly backup: CredentialsBackupInfo }>;
  /** The status, and the codes that a phone accepts now. */
  qr(caller: StatusCaller): Promise<QrView>;
  qrPng(): Promise<Buffer | null>;
  /** WhatsApp's open request for a passkey. Throws `passkey_not_pending`. */
  passkey(): Promise<PasskeyView>;
}

export interface QrView extends StatusView {
  /** The QR as base64 of a PNG; null: there is none to scan. */
  readonly image: string | null;
  /** null: there is none to type. */
  readonly pairingCode: PairingCode | null;
  /** WhatsApp's request for a passkey; null: there is none. */
  readonly passkey: PasskeyView | null;
  /** Why the login was lost; null: it was not, or a phone is linked again. */
  readonly loginLost: string | null;
}

/** The request for a passkey, with what only the operator may see. */
export type PasskeyView = PasskeyStatus & Pick<OpenPasskey, 'options' | 'code'>;

export interface StatusView {
  readonly status: Status;
  readonly heartbeat: Heartbeat;
  /** `status` as JSON. */
  readonly json: Json<Status>;
}

/** The keys of the texts that a session's status is made from, in the order of {@link StatusTexts}, without the last. */
export function statusKeysOf(session: string): string[] {
  const { state, heartbeat, start, endedStart } = sessionKeys(session);
  return [state, heartbeat, start, endedStart];
}

/** State, heartbeat, start and endedStart of a session, and the places of supervisors. null: there is none. */
export type StatusTexts = readonly (string | null)[];

/** Makes the status of a session from what is in Redis. Throws an {@link UnreadableStateError}. */
export function createStatusView(configured: ConfiguredSession): (texts: StatusTexts) => StatusView {
  const parse = memoizeLast(parseStored);
  const compose = memoizeLast(
    (stored: string | null, beat: string | null, waiting: string | null): StatusView => {
      const heartbeat = parseHeartbeat(beat);
      const status = effectiveStatus(parse(stored), heartbeat, parsePlaces(waiting), configured);
      return { status, heartbeat, json: new Json(JSON.stringify(status)) };
    },
  );
  return ([stored = null, beat = null, start = null, ended = null, places = null]) => {
    // The places of supervisors change often, and matter only while a start waits.
    const isWaiting = beat !== 'live' && start !== null && start !== ended;
    return compose(stored, beat, isWaiting ? places : null);
  };
}

/** The view as this caller may see it. */
function viewFor<View extends StatusView>(caller: StatusCaller, view: View): View {
  const status = toldTo(caller, view.status);
  return status === view.status ? view : { ...view, status, json: new Json(JSON.stringify(status)) };
}

export function createSessionReader(redis: Redis, configured: ConfiguredSession): SessionReader {
  const k = sessionKeys(configured.session);
  const statusKeys = [...statusKeysOf(configured.session), supervisorPlacesKey];
  const viewOf = createStatusView(configured);

  /** Reads the status, and `keys` of the session besides. */
  async function read(...keys: string[]): Promise<{ view: StatusView; values: (string | null)[] }> {
    const values = await viaRedis(() => redis.mget(...statusKeys, ...keys));
    return { view: viewOf(values.slice(0, statusKeys.length)), values: values.slice(statusKeys.length) };
  }

  const withCodes = memoizeLast(
    (
      view: StatusView,
      image: string | null,
      pairing: string | null,
      loginLost: string | null,
      open: string | null,
    ): QrView => ({
      ...view,
      image: canBeScanned(view) ? image : null,
      pairingCode: canBeTyped(view) ? parseAs(pairingCodeSchema, pairing) : null,
      loginLost,
      passkey: passkeyOf(view, open),
    }),
  );

  const readStatus = oneAtATime(async () => (await read()).view);

  const readHealth = oneAtATime(async () => {
    const { view, values } = await read(k.backupStatus, k.backupSummary);
    const [backupStatus = null, summary = null] = values;
    return { ...view, backup: describeBackup(backupStatus, summary) };
  });

  const readQr = oneAtATime(async () => {
    const { view, values } = await read(k.qrBase64, k.pairingCode, k.loginLost, k.passkey);
    const [image = null, pairing = null, lost = null, open = null] = values;
    return withCodes(view, image, pairing, lost, open);
  });

  return {
    status: async (caller) => viewFor(caller, await readStatus()),
    health: async (caller) => viewFor(caller, await readHealth()),
    qr: async (caller) => viewFor(caller, await readQr()),

    passkey: oneAtATime(async () => {
      const { view, values } = await read(k.passkey);
      const passkey = passkeyOf(view, values[0] ?? null);
      if (passkey !== null) return passkey;
      const { state, last_error } = view.status;
      const why =
        state === 'passkey_required' && last_error !== null ? last_error : `the session is ${state}`;
      throw new ApiError('passkey_not_pending', `there is no request for a passkey to answer: ${why}`, {
        method: 'GET',
      });
    }),

    qrPng: oneAtATime(async () => {
      const [stored, beat, image] = await viaRedis(() => redis.mgetBuffer(k.state, k.heartbeat, k.qrPng));
      const view = viewOf([stored?.toString() ?? null, beat?.toString() ?? null]);
      return canBeScanned(view) ? (image ?? null) : null;
    }),
  };
}

/** null: WhatsApp does not ask for a passkey, or the session has no owner who could give it. */
function passkeyOf({ status, heartbeat }: StatusView, open: string | null): PasskeyView | null {
  if (status.passkey === null || heartbeat !== 'live') return null;
  const secret = parseAs(openPasskeySchema, open);
  // The two are written together, but may be read between two writes.
  const { options, code } = secret?.id === status.passkey.id ? secret : { options: null, code: null };
  return { ...status.passkey, options, code };
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
