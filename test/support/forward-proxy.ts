import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

/** A request to the proxy: a tunnel, or a request for an http URL. */
export interface ProxyRequest {
  /** With its port. */
  readonly host: string;
  readonly isAccepted: boolean;
}

/** An HTTP proxy on loopback that leads every tunnel to one server of this machine, whatever its host. */
export interface ForwardProxy {
  /** Its URL, as the `server` of a session. */
  readonly server: string;
  readonly requests: readonly ProxyRequest[];
  /** The login that it wants from now on; null: none. Open tunnels stay open. */
  login: string | null;
  /** Refuses connections from now on, and ends the open ones. */
  cut(): Promise<void>;
  /** Serves again, on the same port. */
  open(): Promise<void>;
  close(): Promise<void>;
}

/** `login`: `<user name>:<password>`. */
export async function startForwardProxy(
  targetPort: number,
  login: string | null = null,
): Promise<ForwardProxy> {
  const requests: ProxyRequest[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    requests.push({ host: new URL(request.url ?? '', 'http://none').host, isAccepted: false });
    response.writeHead(502).end();
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('connect', (request, socket: Socket, head) => {
    const { login: wanted } = proxy;
    const given = request.headers['proxy-authorization'];
    const isAccepted = wanted === null || given === `Basic ${Buffer.from(wanted).toString('base64')}`;
    requests.push({ host: request.url ?? '', isAccepted });
    if (!isAccepted) {
      const challenge = 'Proxy-Authenticate: Basic realm="proxy"\r\nContent-Length: 0';
      return void socket.end(`HTTP/1.1 407 Proxy Authentication Required\r\n${challenge}\r\n\r\n`);
    }
    const target = connect(targetPort, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      target.write(head);
      target.pipe(socket).pipe(target);
    });
    target.on('error', () => socket.destroy());
    socket.once('close', () => target.destroy());
  });

  async function listen(port: number): Promise<number> {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  async function cut(): Promise<void> {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  const port = await listen(0);
  const proxy: ForwardProxy = {
    server: `http://127.0.0.1:${port}`,
    requests,
    login,
    cut,
    async open() {
      await listen(port);
    },
    close: cut,
  };
  return proxy;
}
