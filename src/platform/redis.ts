import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { Cluster, type RedisOptions, Redis as Server } from 'ioredis';
import { messageOf } from '../contract/errors.js';
import type { Timing } from '../contract/timing.js';
import type { Logger } from './logger.js';
import { MasterConnector, SentinelMasterConnector } from './master-connector.js';
import { RedisPeers } from './redis-peers.js';
import { parseRedisUrl, type RedisAddress } from './redis-url.js';

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

const retryDelay = (attempt: number) => Math.min(50 * attempt, 500);

function connect(url: string, options: RedisOptions, log: Logger): Redis {
  const address = parseRedisUrl(url);
  if (address === null) throw new TypeError('the URL of Redis has none of its forms');
  const { username, password, hasTls } = address;
  const peers = peersOf(url);
  const common: RedisOptions = {
    ...options,
    ...(hasTls ? { tls: tlsOf(address) } : {}),
    username,
    password,
    enableReadyCheck: true,
    // Nobody asks for the name of the library, and an access list would have to allow it.
    disableClientInfo: true,
    connectTimeout: 3_000,
    // It sees every refusal. The call that met one gets it as its own error.
    reconnectOnError(error) {
      peers.hear(error);
      return false;
    },
  };
  const redis = address.kind === 'cluster' ? toCluster(address, common) : toServer(address, common);
  guard(redis, peers);
  logOutages(redis, log);
  return redis;
}

/** By URL. */
const peersAt = new Map<string, RedisPeers>();

function peersOf(url: string): RedisPeers {
  const peers = peersAt.get(url) ?? new RedisPeers();
  peersAt.set(url, peers);
  return peers;
}

function toServer(address: RedisAddress, common: RedisOptions): Server {
  const { path, db, nodes, kind, masterName, sentinelUsername, sentinelPassword } = address;
  const all: RedisOptions = { ...common, db, retryStrategy: retryDelay, Connector: MasterConnector };
  if (path !== null) return new Server({ ...all, path });
  if (kind === 'server') return new Server({ ...all, ...nodes[0] });
  return new Server({
    ...all,
    ...{ sentinels: [...nodes], name: masterName ?? undefined, sentinelUsername, sentinelPassword },
    ...(common.tls === undefined ? {} : { sentinelTLS: common.tls, enableTLSForSentinelMode: true }),
    sentinelCommandTimeout: 2_000,
    sentinelRetryStrategy: retryDelay,
    Connector: SentinelMasterConnector,
  });
}

function toCluster({ nodes }: RedisAddress, { enableOfflineQueue, ...redisOptions }: RedisOptions): Cluster {
  const isPatient = redisOptions.maxRetriesPerRequest === null;
  return new Cluster([...nodes], {
    redisOptions,
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

function tlsOf({ tlsFiles }: RedisAddress): ConnectionOptions {
  const { ca, cert, key } = tlsFiles;
  return {
    ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
    ...(cert === undefined ? {} : { cert: readFileSync(cert) }),
    ...(key === undefined ? {} : { key: readFileSync(key) }),
  };
}

/** Also what is made from it later: BullMQ makes its blocking connections by `duplicate`. */
function guard(redis: Redis, peers: RedisPeers): Redis {
  if (redis instanceof Cluster) redis.on('+node', surviveSecondErrors);
  else surviveSecondErrors(redis);
  redis.on('connecting', () => peers.add(redis));
  redis.on('end', () => peers.remove(redis));
  const duplicate = redis.duplicate.bind(redis) as (...options: unknown[]) => Redis;
  return Object.assign(redis, { duplicate: (...options: unknown[]) => guard(duplicate(...options), peers) });
}

/**
 * ioredis listens for one error of a socket. A TLS socket whose certificate the server refuses after the handshake, or
 * that is given up in the middle of it, can have two, and the second would end the process.
 */
function surviveSecondErrors(server: Server): void {
  const listen = () => server.stream?.on('error', () => undefined);
  // The socket is made in the turn of this event; behind sentinels later.
  server.on('connecting', () => setImmediate(listen));
  server.on('connect', listen);
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
