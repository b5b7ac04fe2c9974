/**
 * BullMQ tells in a stream of each queue what happens in it, return values included, and nobody here listens. The option is stored with the
 * queue, so everybody who opens one has to say the same; BullMQ's own is 10,000.
 */
export const queueNotices = { events: { maxLen: 100 } };
