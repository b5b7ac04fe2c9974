import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { dieWithThisProcess } from './die-with-this-process.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';

/** A redis-server of the test's own, on a free loopback port, in a directory of its own. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  signal(name: NodeJS.Signals): void;
  /** Ends it at once, as a crash would. Without `appendOnly` its data are gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port and directory. */
  restart(): Promise<void>;
  /** The same, but all data are gone. */
  restartEmpty(): Promise<void>;
  /** Ends it and removes its directory. */
  stop(): Promise<void>;
}

export async function startRedis({ appendOnly = false } = {}): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), 'holdline-redis-'));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const start = () => spawnRedis({ port, directory, appendOnly, url });
  let child = await start();

  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  return {
    url,
    port,
    get pid() {
      return child.pid as number;
    },
    signal: (name) => void child.kill(name),
    kill,
    async restart() {
      await kill();
      child = await start();
    },
    async restartEmpty() {
      await kill();
      await rm(join(directory, 'appendonlydir'), { recursive: true, force: true });
      child = await start();
    },
    async stop() {
      await kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

interface Place {
  readonly port: number;
  readonly directory: string;
  readonly appendOnly: boolean;
  readonly url: string;
}

async function spawnRedis({ port, directory, appendOnly, url }: Place): Promise<ChildProcess> {
  const child = spawn(
    'redis-server',
    [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', ''],
      ...['--appendonly', appendOnly ? 'yes' : 'no', '--appendfsync', 'always'],
    ],
    { stdio: 'ignore' },
  );
  await once(child, 'spawn');
  dieWithThisProcess(child, 'KILL');
  const probe = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => 50 });
  probe.on('error', () => undefined);
  try {
    await eventually(
      async () => {
        if (child.exitCode !== null) throw new Error(`redis-server exited with ${child.exitCode}`);
        return (await probe.ping()) === 'PONG';
      },
      { message: 'redis-server answers' },
    );
  } finally {
    probe.disconnect();
  }
  return child;
}
