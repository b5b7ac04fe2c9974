import { existsSync } from 'node:fs';
import { processFacts } from './processes.js';
import { type RedisPaths, type RunningRedis, redisArguments } from './redis-process.js';

/** Loaded only when it is used: loading takes longer than starting a local Redis. */
const testcontainers = () => import('testcontainers');

/** Whether a Docker engine answers. */
export async function findsEngine(): Promise<boolean> {
  if (process.env.DOCKER_HOST === undefined && !existsSync('/var/run/docker.sock')) return false;
  const { getContainerRuntimeClient } = await testcontainers();
  return getContainerRuntimeClient().then(
    () => true,
    () => false,
  );
}

/** Runs Redis in a container. Its data are in a directory of this machine, so the next container finds them. */
export async function runRedisContainer(place: RedisPaths): Promise<RunningRedis> {
  const { GenericContainer, getContainerRuntimeClient, Wait } = await testcontainers();
  const started = await new GenericContainer('redis:7')
    .withCommand(['redis-server', '--protected-mode', 'no', '--dir', '/data', ...redisArguments(place)])
    // This user must be able to remove what it writes.
    .withUser(`${process.getuid?.()}:${process.getgid?.()}`)
    .withBindMounts([{ source: place.directory, target: '/data' }])
    .withExposedPorts({ container: 6379, host: place.port })
    .withWaitStrategy(Wait.forLogMessage('Ready to accept connections'))
    .start();
  const { container: client } = await getContainerRuntimeClient();
  const container = client.getById(started.getId());
  const { State } = await container.inspect();
  let hasEnded = false;
  // If the engine's processes run on this machine, a signal arrives at once, as with a local Redis. To an engine
  // elsewhere (in a virtual machine) each signal is a request; they are sent one after the other.
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
