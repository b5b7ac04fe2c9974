import { bounds } from '../../contract/bounds.js';

export interface FeedTuning {
  readonly pingIntervalMs: number;
  /** Time between two looks whether somebody still stands behind the session. */
  readonly ownerLookIntervalMs: number;
  /** What may wait for a client that does not read, before the next events cut it off. */
  readonly maxBufferedBytes: number;
  /** How long a client may take to read a page of what it missed. */
  readonly readDeadlineMs: number;
  readonly pageSize: number;
  /** Pages that are read and written at a time, and how long a client waits for its turn. */
  readonly pagesAtOnce: number;
  readonly pageWaitMs: number;
  /** How long the stream is followed on with nobody listening: clients come back. */
  readonly lingerMs: number;
  /** Streams that one replica serves at a time; of these, for the holders of QR links. */
  readonly maxListeners: number;
  readonly maxVisitors: number;
}

export const usualTuning: FeedTuning = {
  pingIntervalMs: 15_000,
  ownerLookIntervalMs: 1_000,
  maxBufferedBytes: bounds.streamBacklog,
  readDeadlineMs: 30_000,
  pageSize: 100,
  pagesAtOnce: bounds.catchUps,
  pageWaitMs: bounds.catchUpWait,
  lingerMs: 5_000,
  maxListeners: bounds.streams,
  maxVisitors: bounds.visitorStreams,
};
