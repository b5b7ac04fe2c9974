import { type BackendFactory, createRedisBackend, type RedisQueueBackend } from 'bullmq';

/** For BullMQ's workers, each of which would open a second connection for its blocking reads. {@link QueueMarkers} reads for all of them. */
export const withoutBlockingConnection: BackendFactory<RedisQueueBackend> = (name, options) =>
  createRedisBackend(name, options, { withBlockingConnection: false });
