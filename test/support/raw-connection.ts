import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { eventually } from './eventually.js';
import { parseMetrics } from './metrics.js';

/** A TCP connection on which a test writes any bytes, and reads when it chooses. */
export interface RawConnection {
  readonly socket: Socket;
  /** Everything received. */
  readonly text: string;
  /** The status code of each answer that has begun. */
  readonly statuses: readonly number[];
  readonly isClosed: boolean;
  untilAnswers(count: number): Promise<void>;
  untilClosed(): Promise<void>;
}

export async function openRaw(port: number, localAddress = '127.0.0.1'): Promise<RawConnection> {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  const chunks: Buffer[] = [];
  let isClosed = false;
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => undefined);
  socket.on('close', () => {
    isClosed = true;
  });
  await once(socket, 'connect');
  const connection: RawConnection = {
    socket,
    get text() {
      return Buffer.concat(chunks).toString('latin1');
    },
    get statuses() {
      return [...this.text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
    },
    get isClosed() {
      return isClosed;
    },
    untilAnswers: async (count) =>
      void (await eventually(() => connection.statuses.length >= count, { message: `${count} answers` })),
    untilClosed: async () =>
      void (await eventually(() => isClosed, { timeoutMs: 45_000, message: 'the connection is closed' })),
  };
  return connection;
}

export function get(path: string, ...headers: string[]): string {
  return `${[`GET ${path} HTTP/1.1`, 'Host: localhost', ...headers].join('\r\n')}\r\n\r\n`;
}

export function post(path: string, body: string, ...headers: string[]): string {
  const lines = [`POST ${path} HTTP/1.1`, 'Host: localhost', `Content-Length: ${Buffer.byteLength(body)}`];
  return `${[...lines, 'Content-Type: application/json', ...headers].join('\r\n')}\r\n\r\n${body}`;
}

/** How often this bound was reached on the replica. */
export async function timesMet(
  replica: { get(path: string, init?: RequestInit): Promise<Response> },
  bound: string,
  headers: Record<string, string> = {},
): Promise<number> {
  const page = parseMetrics(await (await replica.get('/metrics', { headers })).text());
  return page.value('holdline_bound_reached_total', { bound }) ?? Number.NaN;
}
