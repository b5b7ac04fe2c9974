import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { messageOf, OperatorError } from '../../contract/errors.js';
import { redisMaxMemoryBytes } from '../../contract/redis-needs.js';
import { deferred, pause, withDeadline } from '../deadline.js';
import { isRunning, signalGroup, signalProcess } from '../proc.js';
import type { RedisPaths } from './paths.js';

/** One process of the embedded server, started or adopted. */
export interface RedisProcess {
  readonly pid: number;
  readonly wasAdopted: boolean;
  /** Settles when the process and its forks are gone; never rejects. */
  readonly exited: Promise<RedisExit>;
  /** The last lines of its output that may say why it exited; empty for an adopted server. */
  outputTail(): readonly string[];
  signal(name: NodeJS.Signals): void;
}

/** Both null for an adopted server: only a parent learns how a process exited. */
export interface RedisExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class RedisServerMissingError extends OperatorError {
  constructor(cause: unknown) {
    super(
      `redis-server cannot be run (${messageOf(cause)}): install Redis ` +
        '(apt-get install redis-server, dnf install redis, brew install redis), ' +
        'or set REDIS_URL to a Redis of your own',
      { cause },
    );
  }
}

/**
 * Runs the server in its own process group: Ctrl-C in a terminal must not end it before the product has closed its
 * connections. Throws {@link RedisServerMissingError}.
 */
export async function spawnRedis(paths: RedisPaths): Promise<RedisProcess> {
  const child = spawn('redis-server', serverArguments(paths), {
    cwd: paths.directory,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { promise: exited, resolve: settle } = deferred<RedisExit>();
  const tail = keepTail([child.stdout, child.stderr]);
  await new Promise<void>((started, failed) => {
    child.once('spawn', started);
    child.once('error', (error) => failed(new RedisServerMissingError(error)));
  });
  const pid = child.pid as number;
  // A fork that rewrites the append-only file would keep the pipes open and continue to write.
  child.once('exit', () => signalGroup(pid, 'SIGKILL'));
  child.once('close', (code, signal) => settle({ code, signal }));
  return {
    pid,
    wasAdopted: false,
    exited,
    outputTail: () => tail,
    signal: (name) => {
      if (child.exitCode === null && child.signalCode === null) signalServer(pid, name);
    },
  };
}

/** For a server that is not a child of this process: polls whether it still runs. */
export function adoptRedis(pid: number, watchIntervalMs: number): RedisProcess {
  let hasExited = false;
  return {
    pid,
    wasAdopted: true,
    exited: watch(),
    outputTail: () => [],
    signal: (name) => {
      if (!hasExited) signalServer(pid, name);
    },
  };

  async function watch(): Promise<RedisExit> {
    while (await isRunning(pid)) await pause(watchIntervalMs);
    hasExited = true;
    return { code: null, signal: null };
  }
}

/** SIGTERM, then SIGKILL after `graceMs`; resolves when the server is gone. */
export async function endRedis(server: RedisProcess, graceMs: number): Promise<void> {
  server.signal('SIGTERM');
  await withDeadline(server.exited, graceMs, 'redis-server').catch(() => server.signal('SIGKILL'));
  await server.exited;
}

/** Signals the server and its forks. If it does not lead a process group, signals only the server. */
export function signalServer(pid: number, name: NodeJS.Signals): void {
  if (!signalGroup(pid, name)) signalProcess(pid, name);
}

function serverArguments(paths: RedisPaths): string[] {
  const settings: Readonly<Record<string, string>> = {
    port: '0',
    unixsocket: paths.socket,
    unixsocketperm: '700',
    dir: paths.directory,
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
    maxmemory: String(redisMaxMemoryBytes),
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

/** Redis prints these at each start: advice about the machine, and that it came up. */
const isNoReason =
  /# WARNING[: ]|Server initialized$|Ready to accept connections|The server is now ready to accept/;

function keepTail(streams: readonly Readable[]): string[] {
  const tail: string[] = [];
  for (const stream of streams) {
    createInterface({ input: stream }).on('line', (line) => {
      if (line.trim() === '' || isNoReason.test(line)) return;
      tail.push(line.trim());
      if (tail.length > 20) tail.shift();
    });
  }
  return tail;
}
