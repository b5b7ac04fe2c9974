import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Timing } from '../../src/contract/timing.js';
import { type FaultProxy, startFaultProxy } from './fault-proxy.js';
import { isAlive, signalIfAlive } from './processes.js';
import type { Affliction } from './programs/supervisor.js';
import { supervisorEnvironment } from './scaled-timing.js';
import type { Theatre } from './theatre.js';

const program = fileURLToPath(new URL('./programs/supervisor.js', import.meta.url));

/** A supervisor as a process, with its own way to Redis; all of a deployment have one disk. */
export interface SupervisorProcess {
  readonly id: string;
  readonly pid: number;
  readonly network: FaultProxy;
  afflict(affliction: Affliction): void;
  signal(name: NodeJS.Signals): void;
  /** Resolves when the process is gone. */
  readonly exited: Promise<unknown>;
  log(): string;
}

export interface SupervisorProcessOptions {
  readonly name: string;
  readonly dir: string;
  readonly redisPort: number;
  readonly theatre: Theatre;
  readonly timing: Partial<Timing>;
  readonly environment?: Readonly<Record<string, string>>;
}

export async function startSupervisorProcess(options: SupervisorProcessOptions): Promise<SupervisorProcess> {
  const { name, dir, redisPort, theatre, timing } = options;
  const authDir = join(dir, 'auth');
  mkdirSync(authDir, { recursive: true });
  const network = await startFaultProxy(redisPort);
  const child = fork(program, ['supervisor'], {
    env: {
      ...process.env,
      ...supervisorEnvironment({
        redisUrl: `redis://127.0.0.1:${network.port}`,
        authDir,
        browserExecutable: theatre.browserExecutable,
        timing,
      }),
      ...options.environment,
    },
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const logFile = join(dir, `${name}.log`);
  const log = createWriteStream(logFile);
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  const exited = once(child, 'exit').then(() => {
    log.end();
    return network.close();
  });
  const pid = child.pid;
  assert.ok(pid);
  return {
    id: await idOf(child, logFile),
    pid,
    network,
    exited,
    afflict: (affliction) => void child.send(affliction),
    signal: (signal) => isAlive(pid) && signalIfAlive(pid, signal),
    log: () => readFileSync(logFile, 'utf8'),
  };
}

async function idOf(child: ChildProcess, logFile: string): Promise<string> {
  const answer = await Promise.race([
    once(child, 'message').then(([message]) => message as { id: string }),
    once(child, 'exit').then(() => null),
  ]);
  if (answer === null) throw new Error(`the supervisor did not start: ${readFileSync(logFile, 'utf8')}`);
  return answer.id;
}
