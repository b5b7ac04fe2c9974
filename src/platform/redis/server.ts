import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { type RedisOptions, Redis as Server } from 'ioredis';
import { MasterConnector, SentinelMasterConnector } from './connectors.js';
import { parseRedisUrl, type RedisAddress } from './url.js';

/** How a connection to one server is made, from what the URL says. */

export function addressOf(url: string): RedisAddress {
  const address = parseRedisUrl(url);
  if (address === null) throw new TypeError('the URL of Redis has none of its forms');
  return address;
}

export function optionsFor(address: RedisAddress): RedisOptions {
  const { username, password, hasTls } = address;
  return {
    ...(hasTls ? { tls: tlsOf(address) } : {}),
    ...{ username, password, enableReadyCheck: true, connectTimeout: 3_000 },
    // Nobody asks for the name of the library, and an access list would have to allow it.
    disableClientInfo: true,
    retryStrategy: retryDelay,
    sentinelRetryStrategy: retryDelay,
  };
}

export function toServer(address: RedisAddress, common: RedisOptions): Server {
  const { path, db, nodes, kind, masterName, sentinelUsername, sentinelPassword } = address;
  const all: RedisOptions = { ...common, db, Connector: MasterConnector };
  if (path !== null) return new Server({ ...all, path });
  if (kind === 'server') return new Server({ ...all, ...nodes[0] });
  return new Server({
    ...all,
    ...{ sentinels: [...nodes], name: masterName ?? undefined, sentinelUsername, sentinelPassword },
    ...(common.tls === undefined ? {} : { sentinelTLS: common.tls, enableTLSForSentinelMode: true }),
    sentinelCommandTimeout: 2_000,
    Connector: SentinelMasterConnector,
  });
}

/**
 * A connection to each server that the URL names: to one, or to nodes of a cluster. Each is tried once, and takes a server
 * as it is: a replica, or one whose user may do nothing.
 */
export function connectOnce(url: string, timeoutMs: number): Server[] {
  const address = addressOf(url);
  const options: RedisOptions = {
    ...optionsFor(address),
    ...{ enableReadyCheck: false, commandTimeout: timeoutMs, maxRetriesPerRequest: 0 },
    ...{ retryStrategy: () => null, sentinelRetryStrategy: () => null },
  };
  const nodes = address.kind === 'cluster' ? address.nodes : [null];
  return nodes.map((node) =>
    toServer(node === null ? address : { ...address, kind: 'server', nodes: [node] }, options),
  );
}

export const retryDelay = (attempt: number) => Math.min(50 * attempt, 500);

function tlsOf({ tlsFiles }: RedisAddress): ConnectionOptions {
  const { ca, cert, key } = tlsFiles;
  return {
    ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
    ...(cert === undefined ? {} : { cert: readFileSync(cert) }),
    ...(key === undefined ? {} : { key: readFileSync(key) }),
  };
}
