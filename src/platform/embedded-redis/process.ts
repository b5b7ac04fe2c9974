import { spawn } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { Redis } from 'ioredis';
import { messageOf, OperatorError } from '../../contract/errors.js';
import { redisMaxMemoryBytes } from '../../contract/redis-needs.js';
import { deferred, pause, withDeadline } from '../deadline.js';
import type { RedisPlace } from './paths.js';

/** One life of the embedded server, started here or found running. */
export interface RedisProcess {
  readonly pid: number;
  readonly wasAdopted: boolean;
  /** Settles when the process and what it forked are gone; never rejects. */
  readonly ended: Promise<RedisEnd>;
  /** The last lines that it wrote; empty for one that was adopted. */
  outputTail(): readonly string[];
  signal(name: NodeJS.Signals): void;
}

/** Both null for an adopted server: only a parent learns how a process ended. */
export interface RedisEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class RedisServerMissingError extends OperatorError {
  constructor(command: string, cause: unknown) {
    super(
      `${command} cannot be run (${messageOf(cause)}): install Redis ` +
        '(apt-get install redis-server, dnf install redis, brew install redis), ' +
        'or set REDIS_URL to a Redis of your own',
      { cause },
    );
  }
}

/**
 * Runs the server in a session and process group of its own, so that a terminal's Ctrl-C does not reach it
 * before the product has said goodbye to it. Throws {@link RedisServerMissingError}.
 */
export async function spawnRedis(command: string, place: RedisPlace): Promise<RedisProcess> {
  const child = spawn(command, serverArguments(place), {
    cwd: place.directory,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { promise: ended, resolve: settle } = deferred<RedisEnd>();
  const tail = keepTail([child.stdout, child.stderr]);
  await new Promise<void>((started, failed) => {
    child.once('spawn', started);
    child.once('error', (error) => failed(new RedisServerMissingError(command, error)));
  });
  const pid = child.pid as number;
  // A rewrite of the append-only file runs in a fork, which would hold our pipes open and write on.
  child.once('exit', () => signalGroup(pid, 'SIGKILL'));
  child.once('close', (code, signal) => settle({ code, signal }));
  return {
    pid,
    wasAdopted: false,
    ended,
    outputTail: () => tail,
    signal: (name) => {
      if (child.exitCode === null && child.signalCode === null) signalServer(pid, name);
    },
  };
}

/** Takes over a server that is nobody's child any more; only looking again and again tells when it ends. */
export function adoptRedis(pid: number, watchIntervalMs: number): RedisProcess {
  let hasEnded = false;
  return {
    pid,
    wasAdopted: true,
    ended: watch(),
    outputTail: () => [],
    signal: (name) => {
      if (!hasEnded) signalServer(pid, name);
    },
  };

  async function watch(): Promise<RedisEnd> {
    while (await isRunning(pid)) await pause(watchIntervalMs);
    hasEnded = true;
    return { code: null, signal: null };
  }
}

/** Asks the server to end, waits, kills it; settles when it is gone. */
export async function endRedis(server: RedisProcess, graceMs: number): Promise<void> {
  server.signal('SIGTERM');
  await withDeadline(server.ended, graceMs, 'redis-server').catch(() => server.signal('SIGKILL'));
  await server.ended;
}

export interface RedisAnswer {
  readonly pid: number;
  readonly isLoading: boolean;
}

/** Who answers on the socket; null when nobody does within the deadline. */
export async function askRedis(socket: string, deadlineMs: number): Promise<RedisAnswer | null> {
  const redis = new Redis({
    path: socket,
    lazyConnect: true,
    retryStrategy: () => null,
    enableReadyCheck: false,
    disableClientInfo: true,
    protocol: 2,
    maxRetriesPerRequest: 0,
    // Its timer runs on after the connection is closed, and would hold up a process that ends.
    disconnectTimeout: 50,
  });
  redis.on('error', () => undefined);
  try {
    // INFO rather than PING: it is also answered while the server loads its data.
    const info = await withDeadline(
      redis.connect().then(() => redis.info()),
      deadlineMs,
      'redis',
    );
    const pid = Number(/^process_id:(\d+)/m.exec(info)?.[1]);
    return { pid, isLoading: !/^loading:0/m.test(info) };
  } catch {
    return null;
  } finally {
    redis.disconnect();
  }
}

/**
 * The servers that run in this directory, whoever started them, one for each process group. Needs /proc; where
 * there is none, nothing is found.
 */
export async function findRedisIn(directory: string): Promise<number[]> {
  const entries = await readdir('/proc').catch(() => []);
  const groups = await Promise.all(
    entries.filter((entry) => /^\d+$/.test(entry)).map((entry) => serverGroupOf(entry, directory)),
  );
  return [...new Set(groups.filter((group) => group !== null))];
}

/** A zombie does not run: its parent has not looked, that is all. */
export async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => null);
  return stat === null || !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
}

/** The server and its forks; the server alone where it leads no group of its own. */
export function signalServer(pid: number, name: NodeJS.Signals): void {
  if (signalGroup(pid, name)) return;
  try {
    process.kill(pid, name);
  } catch {
    // Gone already.
  }
}

function signalGroup(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, name);
    return true;
  } catch {
    return false;
  }
}

async function serverGroupOf(pid: string, directory: string): Promise<number | null> {
  try {
    if ((await readlink(`/proc/${pid}/cwd`)) !== directory) return null;
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    // pid (comm) state ppid pgrp …; the title that Redis gives itself does not change comm.
    const [, comm = '', state = '', group = ''] = /^\d+ \((.*)\) (\S) \d+ (\d+) /s.exec(stat) ?? [];
    return /^(redis|valkey)-server/.test(comm) && !/[ZX]/.test(state) ? Number(group) : null;
  } catch {
    return null;
  }
}

function serverArguments(place: RedisPlace): string[] {
  const settings: Readonly<Record<string, string>> = {
    port: '0',
    unixsocket: place.socket,
    unixsocketperm: '700',
    dir: place.directory,
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
    maxmemory: String(redisMaxMemoryBytes),
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

function keepTail(streams: readonly Readable[]): string[] {
  const tail: string[] = [];
  for (const stream of streams) {
    createInterface({ input: stream }).on('line', (line) => {
      if (line.trim() === '') return;
      tail.push(line.trim());
      if (tail.length > 20) tail.shift();
    });
  }
  return tail;
}
