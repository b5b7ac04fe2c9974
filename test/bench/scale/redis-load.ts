import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { Redis } from 'ioredis';
import { deferred } from '../../../src/platform/deadline.js';

/** What INFO counts of a Redis. */
export interface RedisCounters {
  /** Commands that it ran, those within scripts included. */
  readonly commands: number;
  readonly cpuSeconds: number;
  readonly atMs: number;
}

export async function readCounters(redis: Redis): Promise<RedisCounters> {
  const [stats, cpu] = await Promise.all([redis.info('stats'), redis.info('cpu')]);
  const cpuSeconds = numberIn(cpu, 'used_cpu_sys') + numberIn(cpu, 'used_cpu_user');
  return { commands: numberIn(stats, 'total_commands_processed'), cpuSeconds, atMs: performance.now() };
}

/** Bytes. */
export interface RedisMemory {
  /** With the overhead of the allocator's classes, without what its connections take. */
  readonly data: number;
  readonly connections: number;
}

export async function readMemory(redis: Redis): Promise<RedisMemory> {
  const memory = await redis.info('memory');
  const connections = numberIn(memory, 'mem_clients_normal');
  return { data: numberIn(memory, 'used_memory') - connections, connections };
}

function numberIn(info: string, name: string): number {
  const value = Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1]);
  if (Number.isNaN(value)) throw new Error(`INFO has no ${name}`);
  return value;
}

export interface CommandWatch {
  /** Commands that clients sent until now, by name. Those within scripts are not counted. */
  stop(): Promise<ReadonlyMap<string, number>>;
}

/** A line of MONITOR that shows a command of a client. Line breaks within the command are escaped. */
const commandLine = /^\+[\d.]+ \[\d+ (?!lua\])[^\]]+\] "([^"]+)"/;

/**
 * Counts the commands that clients send from now on. Has a socket of its own: under load, ioredis takes what MONITOR reports while it
 * begins or ends for replies to commands, and throws.
 */
export async function watchCommands(port: number): Promise<CommandWatch> {
  const counts = new Map<string, number>();
  const socket = connect(port, '127.0.0.1');
  socket.write('MONITOR\r\n');
  const lines = createInterface({ input: socket });
  await once(lines, 'line');
  const marker = `end-of-watch-${randomUUID()}`;
  const seen = deferred<void>();
  lines.on('line', (line) => {
    if (line.includes(marker)) return seen.resolve();
    const name = commandLine.exec(line)?.[1]?.toLowerCase();
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
  });
  return {
    async stop() {
      // The lines before it may be late.
      const marking = connect(port, '127.0.0.1');
      marking.write(`ECHO ${marker}\r\n`);
      await seen.promise;
      for (const each of [socket, marking]) each.destroy();
      lines.close();
      return counts;
    },
  };
}

export function sumOf(counts: Iterable<number>): number {
  return [...counts].reduce((sum, count) => sum + count, 0);
}
