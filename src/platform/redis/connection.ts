import { Cluster, type RedisOptions, type Redis as Server } from 'ioredis';
import { messageOf } from '../../contract/errors.js';
import type { Timing } from '../../contract/timing.js';
import type { Logger } from '../logger.js';
import { ServerConnector } from './connectors.js';
import { RedisPeers } from './peers.js';
import { addressOf, optionsFor, retryDelay, toServer } from './server.js';
import type { RedisAddress } from './url.js';

/** A connection to Redis, whatever stands behind it. Every key is in one slot of a cluster (contract/keys.ts). */
export type Redis = Server | Cluster;

type ConnectionTiming = Pick<Timing, 'socketTimeoutMs'>;

/**
 * A connection for work that outlives an outage: commands wait for Redis to come back. `socketTimeout` is what
 * notices a partition that swallows packets without a reset; a blocking read must be shorter.
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

/** A connection for answers that somebody waits for: a command fails at once, or when its time is up. */
export function connectForAnswers(url: string, commandTimeoutMs: number, log: Logger): Redis {
  return connect(
    url,
    {
      commandTimeout: commandTimeoutMs,
      // Late commands alone would never end a connection whose packets are swallowed.
      socketTimeout: 3 * commandTimeoutMs,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
    },
    log,
  );
}

/** A connection like this one for reads that block; the other one says already when Redis is away. */
export function blockingTwin(redis: Redis): Redis {
  const twin: Redis = redis instanceof Cluster ? redis.duplicate() : redis.duplicate();
  twin.on('error', () => undefined);
  return twin;
}

/** Closes without waiting for a Redis that may be gone. */
export async function disconnect(redis: Redis): Promise<void> {
  await Promise.race([
    redis.quit().catch(() => undefined),
    new Promise((done) => setTimeout(done, 500).unref()),
  ]);
  redis.disconnect();
}

function connect(url: string, options: RedisOptions, log: Logger): Redis {
  const address = addressOf(url);
  const peers = peersOf(url);
  const common: RedisOptions = {
    ...optionsFor(address),
    ...options,
    // It sees every refusal. The call that met one gets it as its own error.
    reconnectOnError(error) {
      peers.hear(error);
      return false;
    },
  };
  const redis = address.kind === 'cluster' ? toCluster(address, common) : toServer(address, common);
  joined(redis, peers, log);
  logOutages(redis, log);
  logs.set(redis, log);
  return redis;
}

/** By URL. */
const peersAt = new Map<string, RedisPeers>();

function peersOf(url: string): RedisPeers {
  const peers = peersAt.get(url) ?? new RedisPeers(url);
  peersAt.set(url, peers);
  return peers;
}

const logs = new WeakMap<Redis, Logger>();

/** The log of whoever opened this connection. */
export function logOf(redis: Redis): Logger | undefined {
  return logs.get(redis);
}

function toCluster({ nodes }: RedisAddress, options: RedisOptions): Cluster {
  // Its nodes are found anew by the cluster.
  const { enableOfflineQueue, retryStrategy: _, ...redisOptions } = options;
  const isPatient = redisOptions.maxRetriesPerRequest === null;
  return new Cluster([...nodes], {
    redisOptions: { ...redisOptions, Connector: ServerConnector },
    ...(enableOfflineQueue === undefined ? {} : { enableOfflineQueue }),
    clusterRetryStrategy: retryDelay,
    // How often a command is tried while its slot has no master, 200 ms apart.
    maxRedirections: isPatient ? Number.MAX_SAFE_INTEGER : 1,
    retryDelayOnFailover: 200,
    retryDelayOnClusterDown: 200,
    retryDelayOnMoved: 20,
    slotsRefreshTimeout: 2_000,
    // TLS names are checked as they were given.
    ...(redisOptions.tls === undefined
      ? {}
      : { dnsLookup: (host: string, found: (error: null, address: string) => void) => found(null, host) }),
  });
}

/** Makes it one of the peers, and what is made from it later: BullMQ makes its blocking connections by `duplicate`. */
function joined(redis: Redis, peers: RedisPeers, log: Logger): Redis {
  peers.join(redis, log);
  redis.on('connecting', () => peers.join(redis, log));
  // One that is closed while it waits to connect anew says no more than this.
  redis.on('close', () => peers.leave(redis));
  redis.on('error', (error: Error & { command?: { name: string } }) => {
    // ioredis would go on, in the database of somebody else.
    if (error.command?.name !== 'select') return;
    peers.hear(error);
    redis.disconnect(true);
  });
  const duplicate = redis.duplicate.bind(redis) as (...options: unknown[]) => Redis;
  return Object.assign(redis, {
    duplicate: (...options: unknown[]) => joined(duplicate(...options), peers, log),
  });
}

/** One line for each outage and each recovery, not one for each of its thousand errors. */
function logOutages(redis: Redis, log: Logger): void {
  let isDown = false;
  redis.on('error', (error: Error) => {
    if (!isDown) log.warn({ error: messageOf(error) }, 'redis is not reachable; reconnecting');
    isDown = true;
  });
  redis.on('ready', () => {
    if (isDown) log.info('redis is reachable again');
    isDown = false;
  });
}

/** Redis' own clock, ms: what several hosts compare must not depend on theirs. */
export async function redisTimeMs(redis: Redis): Promise<number> {
  const [seconds, micros] = await redis.time();
  return Number(seconds) * 1_000 + Number(micros) / 1_000;
}
