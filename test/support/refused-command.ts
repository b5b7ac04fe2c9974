import { Redis } from 'ioredis';

/** Which command is refused: of all that are of one kind the nth, from 1. */
export interface Target {
  readonly kind: string;
  readonly nth: number;
}

/** The product's commands in this process, one of which Redis refuses once, as if a failover were under way. */
export interface RefusedCommand {
  /** How many there were of each kind so far. */
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

/** The connection's own, which no caller waits for. */
const ofConnection = new Set(['info', 'auth', 'select', 'hello', 'client', 'quit', 'ping']);

/** Of the connections that wait for Redis to come back, from now on. null: none is refused. */
export function refuseOnce(target: Target | null): RefusedCommand {
  const prototype = Redis.prototype as unknown as { sendCommand: Send };
  const { sendCommand } = prototype;
  // A command that waits for the connection comes twice.
  const seen = new WeakSet<Sent>();
  const counts = new Map<string, number>();
  let wasReached = false;
  prototype.sendCommand = function send(command, stream) {
    const isOfProduct = this.options.socketTimeout !== undefined && !ofConnection.has(command.name);
    if (!isOfProduct || seen.has(command)) return sendCommand.call(this, command, stream);
    seen.add(command);
    const kind = kindOf(command);
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    if (kind !== target?.kind || count !== target.nth) return sendCommand.call(this, command, stream);
    wasReached = true;
    if (stream !== undefined) {
      // A pipeline waits until each of its commands is written: Redis itself refuses this one.
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

/** Its name, of a script the digest too, and its first key without what is another one each time. */
function kindOf({ name, args }: Sent): string {
  const isScript = name === 'evalsha' || name === 'eval';
  const [digest, key] = isScript ? [String(args[0]).slice(0, 8), args[2]] : ['', args[0]];
  const place = String(key).replaceAll(/(t-|m-|r-)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]+/g, '*');
  return `${name} ${digest} ${place}`;
}
