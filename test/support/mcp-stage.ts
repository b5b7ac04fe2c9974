import { Redis } from 'ioredis';
import { type Replica, startReplica } from './http-replica.js';
import { type RedisServer, startRedis } from './redis-server.js';
import type { ScriptedOwner } from './scripted-owner.js';

/** What `tools/call` answers. */
export interface ToolResult {
  readonly isError?: boolean;
  readonly content: readonly { readonly type: string; readonly text: string }[];
}

/** Two replicas of the API on one Redis. */
export interface McpStage {
  readonly server: RedisServer;
  readonly replica: Replica;
  /** Has a public URL. */
  readonly other: Replica;
  /** The owner that a test has started; {@link clear} closes it. */
  owner: ScriptedOwner | null;
  clear(): Promise<void>;
  close(): Promise<void>;
}

export async function startMcpStage(): Promise<McpStage> {
  const server = await startRedis();
  const redis = new Redis(server.url);
  redis.on('error', () => undefined);
  const replica = await startReplica(server.url);
  const other = await startReplica(server.url, {
    environment: { WHATSAPP_PUBLIC_URL: 'https://wa.example.org/hold' },
  });
  const stage: McpStage = {
    ...{ server, replica, other },
    owner: null,
    async clear() {
      await stage.owner?.close();
      stage.owner = null;
      await redis.flushall();
    },
    async close() {
      await Promise.all([replica.close(), other.close()]);
      redis.disconnect();
      await server.stop();
    },
  };
  return stage;
}
