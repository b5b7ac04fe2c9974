import { once } from 'node:events';
import { connect, createServer, type ListenOptions, type Socket } from 'node:net';

/**
 * One address with a server behind it that can be replaced: new connections lead to the new one, those that are open stay
 * where they are, as with a service or a proxy of TCP in front of Redis.
 */
export interface FailoverProxy {
  /** How many connections were made so far. */
  readonly made: number;
  leadTo(port: number): void;
  close(): Promise<void>;
}

export async function startFailoverProxy(place: ListenOptions, targetPort: number): Promise<FailoverProxy> {
  const open = new Set<Socket>();
  let port = targetPort;
  let made = 0;
  const listener = createServer((client) => {
    made++;
    const server = connect({ port, host: '127.0.0.1' });
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      open.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
    }
  }).listen(place);
  await once(listener, 'listening');
  return {
    get made() {
      return made;
    },
    leadTo(next) {
      port = next;
    },
    async close() {
      const closed = once(listener, 'close');
      listener.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
