import { once } from 'node:events';
import { connect, createServer, type ListenOptions, type Socket } from 'node:net';

/** A TCP proxy to a server of this machine. It can break, delay and redirect connections. */
export interface FaultProxy {
  /** On loopback; 0 if it listens on a path. */
  readonly port: number;
  /** Connections made so far. */
  readonly made: number;
  /** Sends new connections to this port. Open ones stay where they are, as behind a service in front of Redis. */
  leadTo(port: number): void;
  /** Ends every fault. Connections that were frozen stay dead, as after a real partition. */
  open(): void;
  /** Resets every connection and refuses new ones. */
  cut(): void;
  /** Drops every byte without a reset. New connections are accepted and reach no server. */
  freeze(): void;
  /** Delays what the server sends. */
  delayReplies(ms: number): void;
  close(): Promise<void>;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  isFrozen: boolean;
}

export interface FaultProxyOptions {
  /** By default a free port on loopback. */
  readonly place?: ListenOptions;
  /** Called with what a client sent, before it is passed on. */
  onRequest?(bytes: Buffer): void;
}

export async function startFaultProxy(
  targetPort: number,
  { place = { port: 0, host: '127.0.0.1' }, onRequest }: FaultProxyOptions = {},
): Promise<FaultProxy> {
  const links = new Set<Link>();
  let serverPort = targetPort;
  let made = 0;
  let mode: 'open' | 'cut' | 'frozen' = 'open';
  let delayMs = 0;

  // Half-open: Node leaks the handle of a socket that is reset while it shuts down by itself.
  const listener = createServer({ allowHalfOpen: true }, (client) => {
    made++;
    if (mode === 'cut') return void reset(client);
    const server = connect({ port: serverPort, host: '127.0.0.1', allowHalfOpen: true });
    const link: Link = { client, server, isFrozen: mode === 'frozen' };
    links.add(link);
    relay(link, link.client, link.server);
    relay(link, link.server, link.client);
  }).listen(place);
  await once(listener, 'listening');

  function relay(link: Link, from: Socket, to: Socket): void {
    const delayed: Buffer[] = [];
    from.on('data', (bytes) => {
      if (from === link.client) onRequest?.(bytes);
      if (link.isFrozen) return;
      // Bytes that arrive after the delay ended must not overtake delayed ones.
      if (from === link.client || (delayMs === 0 && delayed.length === 0)) return void to.write(bytes);
      delayed.push(bytes);
      setTimeout(() => {
        const next = delayed.shift();
        if (next !== undefined && !link.isFrozen) to.write(next);
      }, delayMs);
    });
    from.on('error', () => undefined);
    from.on('end', () => from.destroy());
    from.on('close', () => {
      // The end of a connection does not pass a partition either.
      if (link.isFrozen && !to.destroyed) return;
      links.delete(link);
      to.destroy();
    });
  }

  /** Only TCP has resets. */
  function reset(client: Socket): void {
    if (place.path === undefined) client.resetAndDestroy();
    else client.destroy();
  }

  function dropAll(): void {
    for (const { client, server } of links) {
      reset(client);
      server.destroy();
    }
    links.clear();
  }

  const address = listener.address();
  return {
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    get made() {
      return made;
    },
    leadTo(port) {
      serverPort = port;
    },
    open() {
      mode = 'open';
      delayMs = 0;
    },
    cut() {
      mode = 'cut';
      dropAll();
    },
    freeze() {
      mode = 'frozen';
      for (const link of links) link.isFrozen = true;
    },
    delayReplies(ms) {
      delayMs = ms;
    },
    async close() {
      const closed = once(listener, 'close');
      listener.close();
      dropAll();
      await closed;
    },
  };
}
