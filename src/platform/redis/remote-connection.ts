import type { MessagePort } from 'node:worker_threads';
import { messageOf } from '../../contract/errors.js';
import type { Logger } from '../logger.js';
import type { Redis } from './connection.js';
import type { ScriptArgument } from './raw-script.js';
import { type ScriptDefinition, type StoreConnection, setLogOf } from './store-connection.js';

/** A connection that another thread of this process uses over a MessagePort. */

interface RemoteCall {
  readonly id: number;
  readonly command: string;
  readonly args: readonly (string | number | Uint8Array)[];
  /** The command is this script. */
  readonly script: ScriptDefinition | null;
}

interface RemoteReply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly name: string; readonly message: string };
}

interface PendingCall {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** The side of the thread that has no connection. Errors are those of ioredis, by name and message. */
export class RemoteConnection implements StoreConnection {
  readonly #port: MessagePort;
  readonly #pending = new Map<number, PendingCall>();
  #lastId = 0;
  #isClosed = false;

  constructor(port: MessagePort, log: Logger) {
    this.#port = port;
    setLogOf(this, log);
    port.on('message', (reply: RemoteReply) => this.#settle(reply));
    port.on('close', () => this.close());
  }

  async getBuffer(key: string): Promise<Buffer | null> {
    const value = await this.#call('getBuffer', [key]);
    return value instanceof Uint8Array ? bufferOf(value) : null;
  }

  async hmget(key: string, ...fields: string[]): Promise<(string | null)[]> {
    return (await this.#call('hmget', [key, ...fields])) as (string | null)[];
  }

  defineCommand(name: string, script: ScriptDefinition): void {
    Object.assign(this, { [name]: (...args: ScriptArgument[]) => this.#call(name, args, script) });
  }

  /** Rejects the calls that have no reply yet. Redis may still carry them out. */
  close(): void {
    this.#isClosed = true;
    this.#port.close();
    for (const { reject } of this.#pending.values()) reject(new Error(closed));
    this.#pending.clear();
  }

  #call(
    command: string,
    args: readonly ScriptArgument[],
    script: ScriptDefinition | null = null,
  ): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(new Error(closed));
    const call = { id: ++this.#lastId, command, args: args.map(copied), script };
    return new Promise((resolve, reject) => {
      this.#pending.set(call.id, { resolve, reject });
      this.#port.postMessage(call);
    });
  }

  #settle({ id, value, error }: RemoteReply): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (error === undefined) pending?.resolve(value);
    else pending?.reject(Object.assign(new Error(error.message), { name: error.name }));
  }
}

/** As ioredis says it. */
const closed = 'Connection is closed.';

/**
 * Carries out the calls of a {@link RemoteConnection} at `redis` until its thread closes the port, or ends. While Redis is away, they
 * wait here: what a thread asked before its end is not carried out after an outage.
 */
export function serveRemoteConnection(port: MessagePort, redis: Redis): void {
  let isOpen = true;
  port.on('close', () => {
    isOpen = false;
  });
  let ready: Promise<void> | null = null;
  // Calls go on in their order: all that wait do so before the next message is read.
  const untilReady = () => {
    ready ??= new Promise((resolve) => {
      redis.once('ready', () => {
        ready = null;
        resolve();
      });
    });
    return ready;
  };
  port.on('message', async ({ id, ...call }: RemoteCall) => {
    if (redis.status !== 'ready') await untilReady();
    if (!isOpen) return;
    carryOut(redis, call).then(
      (value) => port.postMessage({ id, value: copied(value) } satisfies RemoteReply),
      (error: unknown) =>
        port.postMessage({
          id,
          error: { name: nameOf(error), message: messageOf(error) },
        } satisfies RemoteReply),
    );
  });
}

async function carryOut(redis: Redis, { command, args, script }: Omit<RemoteCall, 'id'>): Promise<unknown> {
  if (script !== null && !(command in redis)) redis.defineCommand(command, script);
  const commands = redis as unknown as Record<string, (...args: ScriptArgument[]) => Promise<unknown>>;
  const run = commands[command] as (...args: ScriptArgument[]) => Promise<unknown>;
  // A Buffer arrives as a Uint8Array.
  return run.apply(
    redis,
    args.map((arg) => (arg instanceof Uint8Array ? bufferOf(arg) : arg)),
  );
}

/** A view of bytes would take along all that it is a view of: what else came from Redis at that time. */
function copied(value: unknown): unknown {
  return value instanceof Uint8Array ? new Uint8Array(value) : value;
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'Error';
}
