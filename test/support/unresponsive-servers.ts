import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { dieWithThisProcess } from './die-with-this-process.js';

/** Two ports on which no server answers. */
export interface UnresponsiveServers {
  /** Accepts connections and never answers. */
  readonly silentPort: number;
  /** Drops the packets of new connections. */
  readonly droppingPort: number;
  close(): Promise<void>;
}

export async function startUnresponsiveServers(): Promise<UnresponsiveServers> {
  const open = new Set<Socket>();
  const silent = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => open.delete(socket));
  }).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { child, port } = await startFrozenListener();
  const fillers = await fillBacklog(port);
  return {
    silentPort: (silent.address() as AddressInfo).port,
    droppingPort: port,
    async close() {
      for (const socket of [...open, ...fillers]) socket.destroy();
      const gone = [once(silent, 'close'), once(child, 'exit')];
      silent.close();
      child.kill('SIGKILL');
      await Promise.all(gone);
    },
  };
}

const listener = `const s = require('net').createServer().listen(0, '127.0.0.1', 1, () => console.log(s.address().port))`;

/** Starts a process that listens, then stops it. It never accepts: when its backlog is full, the kernel drops new connections. */
async function startFrozenListener(): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, ['-e', listener], { stdio: ['ignore', 'pipe', 'inherit'] });
  dieWithThisProcess(child, 'KILL');
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  child.kill('SIGSTOP');
  return { child, port: Number(line.toString()) };
}

async function fillBacklog(port: number): Promise<Socket[]> {
  const sockets = Array.from({ length: 8 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
  await Promise.race([Promise.all(sockets.map((socket) => once(socket, 'connect'))), sleep(500)]);
  return sockets;
}
