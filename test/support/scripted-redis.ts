import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

export interface ScriptedRedis {
  readonly port: number;
  /** How many connections were made so far. */
  readonly made: number;
  close(): Promise<void>;
}

/** What Redis before 6 says to HELLO: the client then speaks its older protocol. */
export const noHello = "-ERR unknown command 'HELLO'\r\n";

/** A server that answers each command what it is told to, as Redis would write it. */
export async function startScriptedRedis(
  answer: (words: readonly string[]) => string,
): Promise<ScriptedRedis> {
  const sockets = new Set<Socket>();
  let made = 0;
  const listener = createServer((socket) => {
    made++;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (bytes) => {
      // Each command is an array of words; here it comes whole.
      for (const [command] of bytes.toString().matchAll(/\*\d+\r\n(?:\$\d+\r\n[^\r]*\r\n)+/g)) {
        const words = [...command.matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map(([, word = '']) => word);
        socket.write(answer(words.map((word) => word.toLowerCase())));
      }
    });
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    get made() {
      return made;
    },
    async close() {
      const closed = once(listener, 'close');
      listener.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

export function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}
