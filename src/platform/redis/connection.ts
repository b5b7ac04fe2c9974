import { Cluster, type RedisOptions, type Redis as Server } from 'ioredis';
import type { Timing } from '../../contract/timing.js';
import { atMost } from '../deadline.js';
import type { Logger } from '../logger.js';
import { clientOptions, clusterClient, requireRedisAddress, serverClient } from './clients.js';
import { ConnectionGroup } from './connection-group.js';
import { setLogOf } from './store-connection.js';

/** A connection to a server, to the master that sentinels name, or to a cluster (all keys in one slot: contract/keys.ts). */
export type Redis = Server | Cluster;

type ConnectionTiming = Pick<Timing, 'socketTimeoutMs'>;

/**
 * A connection for work that continues after an outage: commands wait until Redis is back. `socketTimeoutMs` detects a partition
 * that drops packets without a reset; a blocking read must be shorter.
 */
export function connectPatiently(url: string, timing: ConnectionTiming, log: Logger): Redis {
  return connect(
    url,
    {
      maxRetriesPerRequest: null,
      socketTimeout: timing.socketTimeoutMs,
    },
    log,
  );
}

/** A connection for requests with a waiting caller: without Redis a command fails at once, or after `commandTimeoutMs`. */
export function connectFailFast(url: string, commandTimeoutMs: number, log: Logger): Redis {
  return connect(
    url,
    {
      commandTimeout: commandTimeoutMs,
      // Without it, a connection whose packets are dropped would stay open: late commands alone do not close it.
      socketTimeout: 3 * commandTimeoutMs,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
    },
    log,
  );
}

/** Events of a connection after which it sends commands without a reply again. A cluster tells only that it lost a node. */
export const reconnectEvents = ['ready', '-node'];

/** A second connection for blocking reads. It logs no errors: the first one logs outages. */
export function blockingDuplicate(redis: Redis): Redis {
  const duplicate: Redis = redis instanceof Cluster ? redis.duplicate() : redis.duplicate();
  duplicate.on('error', () => undefined);
  return duplicate;
}

/** Closes the connection; waits 500 ms at most for a Redis that may be gone. */
export async function disconnect(redis: Redis): Promise<void> {
  await atMost(
    redis.quit().catch(() => undefined),
    500,
  );
  redis.disconnect();
}

function connect(url: string, options: RedisOptions, log: Logger): Redis {
  const address = requireRedisAddress(url);
  const group = groupAt(url);
  const common: RedisOptions = {
    ...clientOptions(address),
    ...options,
    // ioredis calls it with every error reply. The command that failed rejects with the same error.
    reconnectOnError(error) {
      group.handleError(error);
      return false;
    },
  };
  const redis = address.kind === 'cluster' ? clusterClient(address, common) : serverClient(address, common);
  addToGroup(redis, group, log);
  // Each queue of a session adds some. BullMQ raises the limit with each, and so 0 would not mean that there is none.
  redis.setMaxListeners(Number.POSITIVE_INFINITY);
  redis.on('error', (error: Error) => group.noteOutage(error, log));
  redis.on('ready', () => group.noteReady());
  setLogOf(redis, log);
  return redis;
}

/** The group of each URL. */
const groups = new Map<string, ConnectionGroup>();

function groupAt(url: string): ConnectionGroup {
  const group = groups.get(url) ?? new ConnectionGroup(url);
  groups.set(url, group);
  return group;
}

/** Adds the connection and all its later duplicates: BullMQ makes its blocking connections by `duplicate`. */
function addToGroup(redis: Redis, group: ConnectionGroup, log: Logger): Redis {
  group.add(redis, log);
  redis.on('connecting', () => group.add(redis, log));
  // Not `end`: a connection that is closed while it waits to reconnect emits `close` only.
  redis.on('close', () => group.remove(redis));
  redis.on('error', (error: Error & { command?: { name: string } }) => {
    // ioredis would continue in database 0, which may belong to another program.
    if (error.command?.name !== 'select') return;
    group.handleError(error);
    redis.disconnect(true);
  });
  const duplicate = redis.duplicate.bind(redis) as (...options: unknown[]) => Redis;
  return Object.assign(redis, {
    duplicate: (...options: unknown[]) => addToGroup(duplicate(...options), group, log),
  });
}

/** The time of Redis in ms, for times that several hosts compare: their own clocks differ. */
export async function redisTimeMs(redis: Redis): Promise<number> {
  return msOfTime(await redis.time());
}

/** The reply to TIME in ms. */
export function msOfTime([seconds, micros]: readonly unknown[]): number {
  return Number(seconds) * 1_000 + Number(micros) / 1_000;
}
