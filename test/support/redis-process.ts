import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dieWithThisProcess } from './die-with-this-process.js';

/** Where a Redis of a test keeps its data and listens, on loopback. */
export interface RedisPaths {
  readonly port: number;
  readonly directory: string;
  readonly appendOnly: boolean;
  /** Further arguments, as `--databases 64`. */
  readonly settings?: readonly string[];
}

/** One life of a Redis, wherever it runs. */
export interface RunningRedis {
  readonly pid: number;
  hasEnded(): boolean;
  signal(name: NodeJS.Signals): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

/** What a SIGKILL leaves has been written; waiting for the disk too would let a busy one hold Redis up for a second. */
export function redisArguments({ appendOnly, settings = [] }: RedisPaths): string[] {
  return ['--save', '', '--appendonly', appendOnly ? 'yes' : 'no', '--appendfsync', 'no', ...settings];
}

/** This machine's own redis-server. */
export async function spawnRedis(place: RedisPaths): Promise<RunningRedis> {
  const at = ['--port', String(place.port), '--bind', '127.0.0.1', '--dir', place.directory];
  const child = spawn('redis-server', [...at, ...redisArguments(place)], { stdio: 'ignore' });
  await once(child, 'spawn');
  dieWithThisProcess(child, 'KILL');
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  return {
    pid: child.pid as number,
    hasEnded,
    signal: (name) => void child.kill(name),
    async kill() {
      if (hasEnded()) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
