import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { Cluster, type RedisOptions, Redis as Server } from 'ioredis';
import { MasterConnector, SentinelMasterConnector, ServerConnector } from './connectors.js';
import { parseRedisUrl, type RedisAddress } from './url.js';

/** Creates clients of ioredis from a URL of Redis. */

/** Parses a URL of Redis. Throws a TypeError if it has none of the forms of url.ts. */
export function requireRedisAddress(url: string): RedisAddress {
  const address = parseRedisUrl(url);
  if (address === null) throw new TypeError('the Redis URL has none of the supported forms');
  return address;
}

/** The options of all clients. Reads the files that the URL names, and throws if it cannot. */
export function clientOptions(address: RedisAddress): RedisOptions {
  const { username, password, hasTls } = address;
  return {
    ...(hasTls ? { tls: tlsOf(address) } : {}),
    ...{ username, password, enableReadyCheck: true, connectTimeout: 3_000 },
    // Otherwise ioredis sends its name by CLIENT SETINFO, which an access list would have to allow.
    disableClientInfo: true,
    retryStrategy: retryDelay,
    sentinelRetryStrategy: retryDelay,
  };
}

/** A client of one server, or of the master that sentinels name. */
export function serverClient(address: RedisAddress, common: RedisOptions): Server {
  const { path, db, nodes, kind, masterName, sentinelUsername, sentinelPassword } = address;
  const options: RedisOptions = { ...common, db, Connector: MasterConnector };
  if (path !== null) return new Server({ ...options, path });
  if (kind === 'server') return new Server({ ...options, ...nodes[0] });
  return new Server({
    ...options,
    ...{ sentinels: [...nodes], name: masterName ?? undefined, sentinelUsername, sentinelPassword },
    ...(common.tls === undefined ? {} : { sentinelTLS: common.tls, enableTLSForSentinelMode: true }),
    sentinelCommandTimeout: 2_000,
    Connector: SentinelMasterConnector,
  });
}

/** A client of the masters of a cluster. */
export function clusterClient({ nodes }: RedisAddress, options: RedisOptions): Cluster {
  // The cluster itself finds and replaces its nodes, so a node gets neither of these two.
  const { enableOfflineQueue, retryStrategy: _, ...redisOptions } = options;
  const isPatient = redisOptions.maxRetriesPerRequest === null;
  return new Cluster([...nodes], {
    redisOptions: { ...redisOptions, Connector: ServerConnector },
    ...(enableOfflineQueue === undefined ? {} : { enableOfflineQueue }),
    clusterRetryStrategy: retryDelay,
    // How often a command is tried, every 200 ms, while its slot has no master.
    maxRedirections: isPatient ? Number.MAX_SAFE_INTEGER : 1,
    retryDelayOnFailover: 200,
    retryDelayOnClusterDown: 200,
    retryDelayOnMoved: 20,
    slotsRefreshTimeout: 2_000,
    // Keeps the host names, because TLS checks them. By default the cluster connects to their addresses.
    ...(redisOptions.tls === undefined
      ? {}
      : { dnsLookup: (host: string, found: (error: null, address: string) => void) => found(null, host) }),
  });
}

/**
 * A client of each server that the URL names: the one server, or each node of a cluster. A client connects once, without
 * retries. It skips the ready check, so it also accepts a replica, and a server on which the user has no rights.
 */
export function connectOnce(url: string, timeoutMs: number): Server[] {
  const address = requireRedisAddress(url);
  const options: RedisOptions = {
    ...clientOptions(address),
    ...{ enableReadyCheck: false, commandTimeout: timeoutMs, maxRetriesPerRequest: 0 },
    ...{ retryStrategy: () => null, sentinelRetryStrategy: () => null },
  };
  const nodes = address.kind === 'cluster' ? address.nodes : [null];
  return nodes.map((node) =>
    serverClient(node === null ? address : { ...address, kind: 'server', nodes: [node] }, options),
  );
}

function tlsOf({ tlsFiles }: RedisAddress): ConnectionOptions {
  const { ca, cert, key } = tlsFiles;
  return {
    ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
    ...(cert === undefined ? {} : { cert: readFileSync(cert) }),
    ...(key === undefined ? {} : { key: readFileSync(key) }),
  };
}

/** Delay in ms before the next attempt to connect. */
function retryDelay(attempt: number): number {
  return Math.min(50 * attempt, 500);
}
