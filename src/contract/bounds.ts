/**
 * Limits on what callers, and strangers who write to the account, can make this product hold: in number, bytes and time.
 * docs/bounds.md shows this table, and a test compares the two. `holdline_bound_reached_total{bound}` counts how often a
 * bound is reached.
 */
interface Bound {
  readonly limit: number;
  readonly unit: 'items' | 'bytes' | 'ms';
  /** What is limited, and per what. */
  readonly of: string;
  /** What happens to an item beyond the limit: it is refused with a code of the API, or handled as said here. */
  readonly beyond: Beyond;
}

type Beyond =
  | 'invalid_request'
  | 'body_too_large'
  | 'rate_limited'
  | 'queue_full'
  | 'too_many_sessions'
  | 'too_many_keys'
  | 'connection closed'
  | 'another connection closed'
  | 'waits'
  | 'cut'
  | 'oldest dropped'
  | 'not kept';

/** In bytes. */
export const KiB = 1_024;
export const MiB = 1_048_576;

const items = (limit: number, of: string, beyond: Beyond): Bound => ({ limit, unit: 'items', of, beyond });
const bytes = (limit: number, of: string, beyond: Beyond): Bound => ({ limit, unit: 'bytes', of, beyond });
const duration = (limit: number, of: string, beyond: Beyond): Bound => ({ limit, unit: 'ms', of, beyond });

export const boundTable = {
  // Connections and requests
  connections: items(5_000, 'connections to a replica', 'another connection closed'),
  connectionsPerAddress: items(
    1_000,
    'connections to a replica from one address',
    'another connection closed',
  ),
  unanswered: items(16, 'unanswered requests of one connection', 'connection closed'),
  requestsUnderWay: items(
    256,
    'open requests of one caller, waits and event streams included',
    'rate_limited',
  ),
  requestHeader: bytes(16 * KiB, 'the header of a request', 'invalid_request'),
  headerTime: duration(10_000, 'to receive the header of a request', 'invalid_request'),
  requestTime: duration(30_000, 'to receive a whole request', 'invalid_request'),

  // Bodies of requests
  body: bytes(16 * KiB, 'a body', 'body_too_large'),
  // A message of 65,536 characters, each written as `\uXXXX`, and the other fields.
  longBody: bytes(512 * KiB, 'a body of a send, or of `/mcp`', 'body_too_large'),
  formBody: bytes(4 * KiB, "a form, except of a passkey's answer", 'body_too_large'),
  bodiesAtOnce: bytes(32 * MiB, 'bodies that a replica is reading', 'rate_limited'),
  bodiesPerCaller: bytes(8 * MiB, 'bodies of one caller that a replica is reading', 'rate_limited'),
  jsonValues: items(1_000, 'values in the JSON of a body', 'invalid_request'),
  jsonDepth: items(16, 'levels in the JSON of a body', 'invalid_request'),
  issues: items(20, 'problems listed per request', 'cut'),
  issueText: items(100, 'characters of a name in a list of problems', 'cut'),

  // Events
  streams: items(1_000, 'event streams of a replica', 'rate_limited'),
  streamsPerCaller: items(100, 'event streams of one caller on a replica', 'rate_limited'),
  visitorStreams: items(20, 'event streams of a replica, from QR links', 'rate_limited'),
  streamBacklog: bytes(MiB, 'events waiting to be read by one client', 'connection closed'),
  events: items(10_000, 'events of a session, for 24 h', 'oldest dropped'),
  eventBytes: bytes(64 * MiB, 'all events of a session', 'oldest dropped'),
  eventIndex: items(500_000, 'events of all sessions in their common order, for 24 h', 'oldest dropped'),
  eventPage: bytes(256 * KiB, 'a page of missed events, at most 100 of them', 'waits'),
  catchUps: items(8, 'pages of missed events that a replica reads at once', 'waits'),
  catchUpWait: duration(60_000, 'the wait for a page of missed events', 'connection closed'),
  liveEvents: items(16, 'new events per read', 'waits'),
  eventSize: bytes(64 * KiB, 'an event, as JSON', 'cut'),
  statusText: bytes(2 * KiB, 'a text of the status', 'cut'),

  // Commands
  sendQueue: items(1_000, 'unsettled sends of a session, by `WHATSAPP_SEND_QUEUE_MAX`', 'queue_full'),
  sendQueueBytes: bytes(16 * MiB, 'unsettled sends of a session, texts included', 'queue_full'),
  settledSends: items(20_000, 'settled sends of a session that are kept, for 24 h', 'oldest dropped'),
  readQueue: items(1_000, 'unanswered reads of a session', 'queue_full'),
  readQueueBytes: bytes(MiB, 'unanswered reads of a session', 'queue_full'),
  readsPerCaller: items(3, 'unanswered reads of one caller of a replica; four run at once', 'waits'),
  readAnswer: bytes(4 * MiB, 'the answer to a read', 'cut'),
  readAnswers: bytes(32 * MiB, 'answers not fetched yet', 'rate_limited'),

  sessions: items(10_000, 'sessions of a deployment', 'too_many_sessions'),
  metadata: bytes(4 * KiB, "a session's `metadata`, as JSON", 'invalid_request'),

  // Of a session, in Redis
  knownNumbers: items(50_000, 'numbers behind hidden ids of an account', 'not kept'),
  setAside: items(100, 'unusable keys of a session, for 7 days', 'oldest dropped'),
  snapshot: bytes(128 * MiB, 'a backup of the login', 'not kept'),

  // API keys, and logins with a browser
  apiKeys: items(1_000, 'API keys made by `POST /api/keys`', 'too_many_keys'),
  logins: items(100, 'browsers logged in with a key', 'oldest dropped'),
  qrLinks: items(100, 'unopened QR links of a key', 'oldest dropped'),
  qrVisits: items(1_000, 'opened QR links', 'oldest dropped'),
  loginTries: items(20_000, 'login attempts from all addresses in 15 min', 'rate_limited'),
  cookiesTried: items(8, 'values of a cookie checked per request', 'cut'),
} as const;

export type BoundName = keyof typeof boundTable;
export type Bounds = { readonly [Name in BoundName]: number };

export const bounds = Object.fromEntries(
  Object.entries(boundTable).map(([name, { limit }]) => [name, limit]),
) as Bounds;

/** Called when a bound is reached, to count it. */
export type OnBound = (name: BoundName) => void;
