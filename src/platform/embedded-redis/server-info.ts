import { Redis } from 'ioredis';
import { withDeadline } from '../deadline.js';

export interface RedisServerInfo {
  readonly pid: number;
  readonly isLoading: boolean;
}

/** Asks the server on the socket over a separate connection. null: no server answers within the deadline. */
export async function readServerInfo(socket: string, deadlineMs: number): Promise<RedisServerInfo | null> {
  const redis = new Redis({
    path: socket,
    lazyConnect: true,
    retryStrategy: () => null,
    enableReadyCheck: false,
    disableClientInfo: true,
    protocol: 2,
    maxRetriesPerRequest: 0,
    // This timer outlives the connection, and would delay the exit of the process.
    disconnectTimeout: 50,
  });
  redis.on('error', () => undefined);
  try {
    // INFO, not PING: the server also answers it while it loads its data.
    const info = await withDeadline(
      redis.connect().then(() => redis.info()),
      deadlineMs,
      'Redis',
    );
    const pid = Number(/^process_id:(\d+)/m.exec(info)?.[1]);
    return { pid, isLoading: !/^loading:0/m.test(info) };
  } catch {
    return null;
  } finally {
    redis.disconnect();
  }
}
