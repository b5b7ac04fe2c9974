import { bounds } from '../../contract/bounds.js';

export interface FeedTuning {
  readonly pingIntervalMs: number;
  /** Time between two checks whether the sessions still have an owner. */
  readonly ownerCheckIntervalMs: number;
  /** A client with more unread bytes than this is disconnected at the next events. */
  readonly maxBufferedBytes: number;
  /** How long a client may take to read a page of missed events. */
  readonly readDeadlineMs: number;
  /** Events in a page. */
  readonly pageSize: number;
  /** The number of pages that are read and written at once, and how long a client waits for its turn. */
  readonly maxPagesAtOnce: number;
  readonly pageWaitMs: number;
  /** How long the stream is still read after the last client has left: clients often come back. */
  readonly lingerMs: number;
  /** The largest number of event streams on this replica, and of those of guests. */
  readonly maxClients: number;
  readonly maxGuests: number;
}

export const defaultTuning: FeedTuning = {
  pingIntervalMs: 15_000,
  ownerCheckIntervalMs: 1_000,
  maxBufferedBytes: bounds.streamBacklog,
  readDeadlineMs: 30_000,
  pageSize: 100,
  maxPagesAtOnce: bounds.catchUps,
  pageWaitMs: bounds.catchUpWait,
  lingerMs: 5_000,
  maxClients: bounds.streams,
  maxGuests: bounds.visitorStreams,
};
