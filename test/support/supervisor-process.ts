import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Timing } from '../../src/contract/timing.js';
import { type FaultProxy, startFaultProxy } from './fault-proxy.js';
import { isAlive, kill } from './processes.js';
import type { ProcessFault } from './programs/supervisor.js';
import { supervisorEnvironment } from './scaled-timing.js';
import type { ScriptedProcesses } from './scripted-processes.js';

const program = fileURLToPath(new URL('./programs/supervisor.js', import.meta.url));

/** A supervisor in its own process, with its own proxy to Redis. All supervisors of a deployment share one disk. */
export interface SupervisorProcess {
  readonly id: string;
  readonly pid: number;
  readonly network: FaultProxy;
  injectFault(fault: ProcessFault): void;
  signal(name: NodeJS.Signals): void;
  /** Resolves when the process has ended. */
  readonly exited: Promise<unknown>;
  log(): string;
}

export interface SupervisorProcessOptions {
  readonly name: string;
  readonly dir: string;
  readonly redisPort: number;
  readonly scripted: ScriptedProcesses;
  readonly timing: Partial<Timing>;
  readonly environment?: Readonly<Record<string, string>>;
}

export async function startSupervisorProcess(options: SupervisorProcessOptions): Promise<SupervisorProcess> {
  const { name, dir, redisPort, scripted, timing } = options;
  const authDir = join(dir, 'auth');
  mkdirSync(authDir, { recursive: true });
  const network = await startFaultProxy(redisPort);
  const child = fork(program, ['supervisor'], {
    env: {
      ...process.env,
      ...supervisorEnvironment({
        redisUrl: `redis://127.0.0.1:${network.port}`,
        authDir,
        browserExecutable: scripted.browserExecutable,
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
    injectFault: (fault) => void child.send(fault),
    signal: (signal) => isAlive(pid) && kill(pid, signal),
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
