import { bounds, KiB, MiB } from './bounds.js';

/**
 * The most memory that a deployment's Redis needs, calculated from the bounds. docs/bounds.md shows it; a test fills a Redis
 * up to the bounds and compares.
 */
export interface RedisNeed {
  readonly what: string;
  readonly bytes: number;
}

/** Overhead of Redis' allocator: a value just above one size class takes the next, which is a quarter larger. */
const allocation = 1.25;

/** A job of BullMQ without its text: options, place in the queue, outcome. */
const jobBytes = 3 * KiB;

const parts: readonly RedisNeed[] = [
  { what: 'events of a session', bytes: bounds.eventBytes + bounds.events * 128 },
  // Measured: 30 bytes with short names of sessions, 97 with the longest.
  { what: 'the common order of all events', bytes: bounds.eventIndex * 100 },
  { what: 'sends that wait', bytes: bounds.sendQueueBytes + bounds.sendQueue * jobBytes },
  { what: 'settled sends', bytes: bounds.settledSends * jobBytes },
  { what: 'reads that wait', bytes: bounds.readQueueBytes + bounds.readQueue * jobBytes },
  // Two more: one being written, one being read.
  { what: 'answers to reads', bytes: bounds.readAnswers + 2 * bounds.readAnswer },
  { what: 'numbers behind hidden ids', bytes: bounds.knownNumbers * 192 },
  { what: 'backups of the login, two and one on its way', bytes: 3 * bounds.snapshot },
  { what: 'answers on their way to clients', bytes: 32 * MiB },
  { what: 'all else, and Redis itself', bytes: 32 * MiB },
];

export const redisNeeds: readonly RedisNeed[] = parts.map(({ what, bytes }) => ({
  what,
  bytes: Math.ceil((bytes * allocation) / MiB) * MiB,
}));

export const redisNeedBytes = redisNeeds.reduce((sum, { bytes }) => sum + bytes, 0);

/**
 * `maxmemory` of a Redis that holds nothing else. It is a quarter more than the need: for settings that allow more
 * (`WHATSAPP_SEND_QUEUE_MAX`), and in case this calculation is wrong. Beyond it Redis refuses writes and evicts nothing.
 */
export const redisMaxMemoryBytes = Math.ceil((redisNeedBytes * 1.25) / MiB) * MiB;
