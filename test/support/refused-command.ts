import { Redis } from 'ioredis';

/** Which command is refused: the nth of its kind, counted from 1. */
export interface Target {
  readonly kind: string;
  readonly nth: number;
}

/** Counts the product's commands in this process. One of them fails once, as during a failover of Redis. */
export interface RefusedCommand {
  /** Commands so far, by kind. */
  readonly counts: ReadonlyMap<string, number>;
  readonly wasReached: boolean;
  restore(): void;
}

interface Sent {
  name: string;
  readonly args: readonly unknown[];
  readonly promise: Promise<unknown>;
  reject(error: Error): void;
}

type Send = (this: Redis, command: Sent, stream?: unknown) => Promise<unknown>;

/** Commands that ioredis sends for the connection itself. */
const commandsOfConnection = new Set(['info', 'auth', 'select', 'hello', 'client', 'quit', 'ping']);

/** Counts from now on; covers connections that wait for Redis to come back. null: none is refused. */
export function refuseOnce(target: Target | null): RefusedCommand {
  const prototype = Redis.prototype as unknown as { sendCommand: Send };
  const { sendCommand } = prototype;
  // A command that waits for the connection passes here twice.
  const seen = new WeakSet<Sent>();
  const counts = new Map<string, number>();
  let wasReached = false;
  prototype.sendCommand = function send(command, stream) {
    const isOfProduct = this.options.socketTimeout !== undefined && !commandsOfConnection.has(command.name);
    if (!isOfProduct || seen.has(command)) return sendCommand.call(this, command, stream);
    seen.add(command);
    const kind = kindOf(command);
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    if (kind !== target?.kind || count !== target.nth) return sendCommand.call(this, command, stream);
    wasReached = true;
    if (stream !== undefined) {
      // A pipeline waits until each of its commands is written, so this one is sent under a name that Redis refuses.
      command.name = 'refused';
      return sendCommand.call(this, command, stream);
    }
    command.reject(refusal());
    return command.promise;
  };
  return {
    counts,
    get wasReached() {
      return wasReached;
    },
    restore() {
      prototype.sendCommand = sendCommand;
    },
  };
}

function refusal(): Error {
  const error = new Error("READONLY You can't write against a read only replica.");
  return Object.assign(error, { name: 'ReplyError' });
}

/** The command's name, a script's digest, and the first key with its random ids as `*`. */
function kindOf({ name, args }: Sent): string {
  const isScript = name === 'evalsha' || name === 'eval';
  const [digest, key] = isScript ? [String(args[0]).slice(0, 8), args[2]] : ['', args[0]];
  const place = String(key).replaceAll(/(t-|m-|r-)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]+/g, '*');
  return `${name} ${digest} ${place}`;
}
