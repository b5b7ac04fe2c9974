import { once } from 'node:events';
import { connect, createServer, type ListenOptions, type Socket } from 'node:net';

/** A way to a server of this machine, that can be broken and led elsewhere. */
export interface FaultProxy {
  /** On loopback; 0 where it listens on a path. */
  readonly port: number;
  /** How many connections were made so far. */
  readonly made: number;
  /** New connections lead there; those that are open stay where they are, as with a service in front of Redis. */
  leadTo(port: number): void;
  /** Heals whatever was broken. Connections that were frozen stay dead, as after a real partition. */
  open(): void;
  /** Resets every connection and refuses new ones. */
  cut(): void;
  /** Swallows every byte without a reset; new connections are accepted and lead nowhere. */
  freeze(): void;
  /** Adds a delay to what the server says. */
  delayReplies(ms: number): void;
  close(): Promise<void>;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  isFrozen: boolean;
}

export interface FaultProxyOptions {
  /** A free port where nothing else is said. */
  readonly place?: ListenOptions;
  /** Sees what a client sent, before it is passed on. */
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

  // Half-open, because Node leaks the handle of a socket that is reset while it shuts down by itself.
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
      // What comes after the delay was lifted must not overtake what was delayed.
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
      // Nor does the end of a connection get through a partition.
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
