import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A SOCKS5 proxy on loopback, without a login, that leads every connection to one server of this machine. */
export interface SocksProxy {
  /** Its URL, as the `server` of a session. */
  readonly server: string;
  /** What it was asked to connect to: a name, or `an address` where the client had looked the name up itself. */
  readonly hosts: readonly string[];
  close(): Promise<void>;
}

const byName = 3;

export async function startSocksProxy(targetPort: number): Promise<SocksProxy> {
  const hosts: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    // The greeting, then the request: a client waits for the answer to each.
    socket.once('data', () => {
      socket.write(Buffer.from([5, 0]));
      socket.once('data', (request: Buffer) => {
        const length = request[4] ?? 0;
        hosts.push(request[3] === byName ? request.subarray(5, 5 + length).toString() : 'an address');
        const target = connect(targetPort, '127.0.0.1', () => {
          socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
          target.pipe(socket).pipe(target);
        });
        target.on('error', () => socket.destroy());
        socket.once('close', () => target.destroy());
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    server: `socks5://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hosts,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
