import type { Logger } from '../logger.js';

/**
 * What the store needs of a connection to Redis. A session worker has no connection of its own: its commands go through its
 * supervisor's (remote-connection.ts).
 */
export interface StoreConnection {
  getBuffer(key: string): Promise<Buffer | null>;
  hmget(key: string, ...fields: string[]): Promise<(string | null)[]>;
  /** From now on the connection has a method of this name. It takes keys and arguments. */
  defineCommand(name: string, definition: ScriptDefinition): void;
}

export interface ScriptDefinition {
  readonly numberOfKeys: number;
  readonly lua: string;
}

const logs = new WeakMap<object, Logger>();

export function setLogOf(connection: object, log: Logger): void {
  logs.set(connection, log);
}

/** The log that this connection was opened with; undefined for a duplicate. */
export function logOf(connection: object): Logger | undefined {
  return logs.get(connection);
}
