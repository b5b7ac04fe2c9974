import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dieWithThisProcess } from './die-with-this-process.js';

/** Where a test's Redis stores its data, and the loopback port on which it listens. */
export interface RedisPaths {
  readonly port: number;
  readonly directory: string;
  readonly appendOnly: boolean;
  /** Further arguments, such as `--databases 64`. */
  readonly settings?: readonly string[];
  /** Not in a container: in a session of its own, as a service. It then gets a share of a busy processor of its own. */
  readonly isService?: boolean;
}

/** One life of a Redis, local or in a container. */
export interface RunningRedis {
  readonly pid: number;
  hasEnded(): boolean;
  signal(name: NodeJS.Signals): void;
  /** Sends SIGKILL; resolves when it has ended. */
  kill(): Promise<void>;
}

/** No fsync: written data survive a SIGKILL, and a busy disk could block Redis for a second. */
export function redisArguments({ appendOnly, settings = [] }: RedisPaths): string[] {
  return ['--save', '', '--appendonly', appendOnly ? 'yes' : 'no', '--appendfsync', 'no', ...settings];
}

/** Starts the local redis-server. */
export async function spawnRedis(place: RedisPaths): Promise<RunningRedis> {
  const at = ['--port', String(place.port), '--bind', '127.0.0.1', '--dir', place.directory];
  const child = spawn('redis-server', [...at, ...redisArguments(place)], {
    stdio: 'ignore',
    detached: place.isService ?? false,
  });
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
