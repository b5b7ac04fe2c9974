import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { commandWords, RespFrames } from './resp.js';

export interface ScriptedRedis {
  readonly port: number;
  /** Connections made so far. */
  readonly made: number;
  close(): Promise<void>;
}

/** The reply of Redis before version 6 to HELLO. The client then uses the older protocol. */
export const noHello = "-ERR unknown command 'HELLO'\r\n";

/** A server that answers each command with the reply, in Redis' protocol, that `answer` returns. */
export async function startScriptedRedis(
  answer: (words: readonly string[]) => string,
  port = 0,
): Promise<ScriptedRedis> {
  const sockets = new Set<Socket>();
  let made = 0;
  const listener = createServer((socket) => {
    made++;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    const requests = new RespFrames();
    socket.on('data', (piece) => {
      for (const request of requests.add(piece)) {
        const words = commandWords(request, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
        socket.write(answer(words.map((word) => word.toLowerCase())));
      }
    });
  }).listen(port, '127.0.0.1');
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
