import { existsSync } from 'node:fs';
import { processFacts } from './processes.js';
import { type RedisPaths, type RunningRedis, redisArguments } from './redis-process.js';

/** Loaded where it is used only: it takes longer than a Redis of this machine takes to start. */
const testcontainers = () => import('testcontainers');

/** A Docker engine answers. */
export async function findsEngine(): Promise<boolean> {
  if (process.env.DOCKER_HOST === undefined && !existsSync('/var/run/docker.sock')) return false;
  const { getContainerRuntimeClient } = await testcontainers();
  return getContainerRuntimeClient().then(
    () => true,
    () => false,
  );
}

/** A Redis in a container, with its data on this machine, so that the next one there finds them. */
export async function runRedisContainer(place: RedisPaths): Promise<RunningRedis> {
  const { GenericContainer, getContainerRuntimeClient, Wait } = await testcontainers();
  const started = await new GenericContainer('redis:7')
    .withCommand(['redis-server', '--protected-mode', 'no', '--dir', '/data', ...redisArguments(place)])
    // What it writes must be ours to remove.
    .withUser(`${process.getuid?.()}:${process.getgid?.()}`)
    .withBindMounts([{ source: place.directory, target: '/data' }])
    .withExposedPorts({ container: 6379, host: place.port })
    .withWaitStrategy(Wait.forLogMessage('Ready to accept connections'))
    .start();
  const { container: client } = await getContainerRuntimeClient();
  const container = client.getById(started.getId());
  const { State } = await container.inspect();
  let hasEnded = false;
  // Where the engine's processes are this machine's, a signal arrives at once, as with a Redis of this machine. To an
  // engine elsewhere (in a virtual machine) it is a request: one after the other.
  const isHere = processFacts(State.Pid)?.commandLine.some((word) => word.includes('redis-server')) ?? false;
  let signals: Promise<unknown> = Promise.resolve();
  return {
    pid: State.Pid,
    hasEnded: () => hasEnded,
    signal(name) {
      if (isHere) process.kill(State.Pid, name);
      else signals = signals.then(() => container.kill({ signal: name })).catch(() => undefined);
    },
    async kill() {
      if (hasEnded) return;
      hasEnded = true;
      await signals;
      await container.remove({ force: true });
    },
  };
}
