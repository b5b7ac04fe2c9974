import type { ApiErrorCode } from './errors.js';

/**
 * What callers, and strangers who write to the account, can make this product hold, in number, bytes and time: one table.
 * docs/bounds.md shows it, and a test holds both together. Each time that one is met counts in
 * `holdline_bound_reached_total{bound}`.
 */
interface Bound {
  readonly limit: number;
  readonly unit: 'items' | 'bytes' | 'ms';
  /** Of what, per what. */
  readonly of: string;
  /** What becomes of the one beyond it: an error of the API, or what is done instead. */
  readonly beyond:
    | ApiErrorCode
    | 'connection closed'
    | 'another connection closed'
    | 'waits'
    | 'cut'
    | 'oldest dropped'
    | 'not kept';
}

/** Bytes. */
export const KiB = 1_024;
export const MiB = 1_048_576;

const ofConnections = {
  connections: {
    ...{ limit: 5_000, unit: 'items', of: 'connections to a replica' },
    beyond: 'another connection closed',
  },
  connectionsPerAddress: {
    ...{ limit: 1_000, unit: 'items', of: 'of these, from one address' },
    beyond: 'another connection closed',
  },
  unanswered: {
    ...{ limit: 16, unit: 'items', of: 'requests of one connection that wait for their answers' },
    beyond: 'connection closed',
  },
} as const satisfies Record<string, Bound>;

const ofRequests = {
  requestsUnderWay: {
    ...{
      limit: 256,
      unit: 'items',
      of: 'requests under way of one caller, waits and event streams included',
    },
    beyond: 'rate_limited',
  },
  requestHeader: {
    ...{ limit: 16 * KiB, unit: 'bytes', of: 'the header of a request' },
    beyond: 'invalid_request',
  },
  headerTime: {
    ...{ limit: 10_000, unit: 'ms', of: 'until the header of a request is there' },
    beyond: 'invalid_request',
  },
  requestTime: {
    ...{ limit: 30_000, unit: 'ms', of: 'until a whole request is there' },
    beyond: 'invalid_request',
  },
} as const satisfies Record<string, Bound>;

const ofBodies = {
  body: { limit: 16 * KiB, unit: 'bytes', of: 'a body', beyond: 'body_too_large' },
  // A message of 65,536 characters, each of them written as `\uXXXX`, and the rest around it.
  longBody: {
    limit: 512 * KiB,
    unit: 'bytes',
    of: 'a body of a send, or of `/mcp`',
    beyond: 'body_too_large',
  },
  formBody: { limit: 4 * KiB, unit: 'bytes', of: 'the form of the login', beyond: 'body_too_large' },
  bodiesAtOnce: {
    ...{ limit: 32 * MiB, unit: 'bytes', of: 'bodies that a replica reads at once' },
    beyond: 'rate_limited',
  },
  bodiesPerCaller: { limit: 8 * MiB, unit: 'bytes', of: 'of these, of one caller', beyond: 'rate_limited' },
  jsonValues: { limit: 1_000, unit: 'items', of: 'values in the JSON of a body', beyond: 'invalid_request' },
  jsonDepth: { limit: 16, unit: 'items', of: 'levels of that JSON', beyond: 'invalid_request' },
  issues: { limit: 20, unit: 'items', of: 'problems of a request that are told', beyond: 'cut' },
  issueText: { limit: 100, unit: 'items', of: 'characters of a name that is told back', beyond: 'cut' },
} as const satisfies Record<string, Bound>;

const ofStreams = {
  streams: { limit: 1_000, unit: 'items', of: 'event streams of a replica', beyond: 'rate_limited' },
  streamsPerCaller: { limit: 100, unit: 'items', of: 'of these, of one caller', beyond: 'rate_limited' },
  visitorStreams: { limit: 20, unit: 'items', of: 'of these, from QR links', beyond: 'rate_limited' },
  streamBacklog: {
    ...{ limit: MiB, unit: 'bytes', of: 'events that wait for one client to read them' },
    beyond: 'connection closed',
  },

  events: { limit: 10_000, unit: 'items', of: 'events of a session, for 24 h', beyond: 'oldest dropped' },
  eventBytes: { limit: 64 * MiB, unit: 'bytes', of: 'these events', beyond: 'oldest dropped' },
  eventPage: {
    limit: 256 * KiB,
    unit: 'bytes',
    of: 'missed events that are read at once, of 100',
    beyond: 'waits',
  },
  catchUps: { limit: 8, unit: 'items', of: 'such pages of a replica at once', beyond: 'waits' },
  catchUpWait: { limit: 60_000, unit: 'ms', of: 'the wait for a page', beyond: 'connection closed' },
  liveEvents: { limit: 16, unit: 'items', of: 'new events that are read at once', beyond: 'waits' },
  eventSize: { limit: 64 * KiB, unit: 'bytes', of: 'an event, as JSON', beyond: 'cut' },
  statusText: { limit: 2 * KiB, unit: 'bytes', of: 'a text of the status', beyond: 'cut' },

  sendQueue: {
    ...{ limit: 1_000, unit: 'items', of: 'unsettled sends of a session, by `WHATSAPP_SEND_QUEUE_MAX`' },
    beyond: 'queue_full',
  },
  sendQueueBytes: { limit: 16 * MiB, unit: 'bytes', of: 'these, texts included', beyond: 'queue_full' },
  settledSends: {
    ...{ limit: 20_000, unit: 'items', of: 'settled sends of a session that are told of, for 24 h' },
    beyond: 'oldest dropped',
  },
  readQueue: {
    limit: 1_000,
    unit: 'items',
    of: 'reads of a session that are not answered',
    beyond: 'queue_full',
  },
  readQueueBytes: { limit: MiB, unit: 'bytes', of: 'these', beyond: 'queue_full' },
  readsPerCaller: {
    limit: 3,
    unit: 'items',
    of: 'of these, of one caller of a replica; four are answered at once',
    beyond: 'waits',
  },
  readAnswer: { limit: 4 * MiB, unit: 'bytes', of: 'the answer to a read', beyond: 'cut' },
  readAnswers: { limit: 32 * MiB, unit: 'bytes', of: 'answers that are not fetched', beyond: 'rate_limited' },

  knownNumbers: {
    limit: 50_000,
    unit: 'items',
    of: 'numbers behind hidden ids of an account',
    beyond: 'not kept',
  },
  setAside: {
    ...{ limit: 100, unit: 'items', of: 'keys of a session that could not be used, for 7 days' },
    beyond: 'oldest dropped',
  },
  snapshot: { limit: 128 * MiB, unit: 'bytes', of: 'a backup of the login', beyond: 'not kept' },

  logins: {
    limit: 100,
    unit: 'items',
    of: 'browsers that are logged in with a key',
    beyond: 'oldest dropped',
  },
  qrLinks: {
    limit: 100,
    unit: 'items',
    of: 'QR links of a key that are not opened',
    beyond: 'oldest dropped',
  },
  qrVisits: { limit: 1_000, unit: 'items', of: 'opened QR links', beyond: 'oldest dropped' },
  loginTries: {
    limit: 20_000,
    unit: 'items',
    of: 'tries to log in, from everywhere in 15 min',
    beyond: 'rate_limited',
  },
  cookiesTried: {
    ...{ limit: 8, unit: 'items', of: 'values of a cookie in a request that are looked at' },
    beyond: 'cut',
  },
} as const satisfies Record<string, Bound>;

export const boundTable = {
  ...ofConnections,
  ...ofRequests,
  ...ofBodies,
  ...ofStreams,
} as const satisfies Record<string, Bound>;

export type BoundName = keyof typeof boundTable;
export type Bounds = { readonly [Name in BoundName]: number };

export const bounds = Object.fromEntries(
  Object.entries(boundTable).map(([name, { limit }]) => [name, limit]),
) as Bounds;

/** Tells the metrics that a bound was met. */
export type OnBound = (name: BoundName) => void;
