import { bounds, KiB, MiB } from './bounds.js';

/**
 * How much memory the Redis of a deployment needs at most, from the bounds of what stands in it. docs/bounds.md shows it; a test
 * fills a Redis up to the bounds and compares.
 */
export interface RedisNeed {
  readonly what: string;
  readonly bytes: number;
}

/** What Redis' allocator and its own records add: values just above one of its sizes get the next one, a quarter larger. */
const allocation = 1.25;

/** A job of BullMQ with its options, its place in the queue and its outcome, without a text. */
const jobBytes = 3 * KiB;

const parts: readonly RedisNeed[] = [
  { what: 'events of a session', bytes: bounds.eventBytes + bounds.events * 128 },
  { what: 'sends that wait', bytes: bounds.sendQueueBytes + bounds.sendQueue * jobBytes },
  { what: 'settled sends', bytes: bounds.settledSends * jobBytes },
  { what: 'reads that wait', bytes: bounds.readQueueBytes + bounds.readQueue * jobBytes },
  // Two of them on their way in and out.
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

/** The sum of them. */
export const redisNeedBytes = redisNeeds.reduce((sum, { bytes }) => sum + bytes, 0);

/**
 * What a Redis that holds nothing else is set to: more than it needs, for settings that allow more (`WHATSAPP_SEND_QUEUE_MAX`), and so
 * that a fault in this reckoning does not stop the product. Beyond it writes are refused, and nothing is thrown away.
 */
export const redisMaxMemoryBytes = Math.ceil((redisNeedBytes * 1.25) / MiB) * MiB;
