import { Redis } from 'ioredis';
import { type HeldSession, holdSession } from './held-session.js';
import { type Replica, startReplica } from './http-replica.js';
import { type RedisServer, startRedis } from './redis-server.js';
import { type CommandScript, type ScriptedCommands, startScriptedCommands } from './scripted-commands.js';

/** Two replicas on one Redis. A test can add a running session and a consumer of commands. */
export interface CommandStage {
  readonly server: RedisServer;
  readonly redis: Redis;
  readonly replica: Replica;
  readonly other: Replica;
  /** Closed with the stage. */
  readonly open: { close(): Promise<void> }[];
  held(): Promise<HeldSession>;
  consumer(script: CommandScript): Promise<ScriptedCommands>;
  /** Closes what the test added and empties Redis. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

export async function startCommandStage(): Promise<CommandStage> {
  const server = await startRedis();
  const redis = new Redis(server.url);
  const replica = await startReplica(server.url);
  const other = await startReplica(server.url);
  const open: { close(): Promise<void> }[] = [];
  const opened = <T extends { close(): Promise<void> }>(part: T): T => {
    open.push(part);
    return part;
  };
  return {
    server,
    redis,
    replica,
    other,
    open,
    held: async () => opened(await holdSession(server.url, replica)),
    consumer: async (script) => opened(await startScriptedCommands(server.url, script)),
    async clear() {
      for (const part of open.splice(0).reverse()) await part.close();
      await redis.flushall();
    },
    async close() {
      await Promise.all([replica.close(), other.close()]);
      redis.disconnect();
      await server.stop();
    },
  };
}
