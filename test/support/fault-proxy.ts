import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP proxy on a free loopback port, whose network can be broken. */
export interface FaultProxy {
  readonly port: number;
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
  /** Sees what a client sent, before it is passed on. */
  onRequest?(bytes: Buffer): void;
}

export async function startFaultProxy(
  targetPort: number,
  options: FaultProxyOptions = {},
): Promise<FaultProxy> {
  const links = new Set<Link>();
  let mode: 'open' | 'cut' | 'frozen' = 'open';
  let delayMs = 0;

  // Half-open, because Node leaks the handle of a socket that is reset while it shuts down by itself.
  const listener = createServer({ allowHalfOpen: true }, (client) => {
    if (mode === 'cut') return void client.resetAndDestroy();
    const server = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true });
    const link: Link = { client, server, isFrozen: mode === 'frozen' };
    links.add(link);
    relay(link, link.client, link.server);
    relay(link, link.server, link.client);
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');

  function relay(link: Link, from: Socket, to: Socket): void {
    const delayed: Buffer[] = [];
    from.on('data', (bytes) => {
      if (from === link.client) options.onRequest?.(bytes);
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

  function dropAll(): void {
    for (const { client, server } of links) {
      client.resetAndDestroy();
      server.destroy();
    }
    links.clear();
  }

  return {
    port: (listener.address() as AddressInfo).port,
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
