import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Target of an attack. The signal ends it. */
export interface Aim {
  readonly port: number;
  readonly signal: AbortSignal;
}

export type AttackName = keyof typeof attacks;

/** Attacks by requests over loopback. Each returns a short description of what it observed. */
export const attacks = {
  /** Requests without a key. The attacker does not read the answers. */
  pipelining: (aim: Aim) => pipeline(aim, { sockets: 250, requests: 1_600, path: '/login' }),
  /** A batch of requests, and another one as soon as it is answered. */
  'pipelining-and-reading': askAndRead,
  /** A new connection for each request. */
  connecting: connectAndAsk,
  /** Many requests for a large file over one connection. */
  files: (aim: Aim) => pipeline(aim, { sockets: 1, requests: 2_097, path: '/docs/swagger-ui-bundle.js' }),
  'half-open': halfOpen,
  'keys-of-json': keysOfJson,
  'catch-ups': catchUps,
  sends,
} as const satisfies Record<string, (aim: Aim) => Promise<string>>;

/** Source addresses of attackers. The owner uses another one. */
const addresses = ['127.0.0.3', '127.0.0.4'] as const;
/** Most connections that one attack opens. */
const connectionsMax = 15_000;

interface Pipelining {
  readonly sockets: number;
  readonly requests: number;
  readonly path: string;
}

/** Each connection writes until it is closed and reads nothing; then it is opened again. */
async function pipeline(aim: Aim, { sockets, requests, path }: Pipelining): Promise<string> {
  const bytes = requestsTo(path, requests);
  let opened = 0;
  let written = 0;
  async function attacker(number: number): Promise<void> {
    while (!aim.signal.aborted && opened < connectionsMax) {
      opened++;
      const socket = open(aim, addressOf(number));
      do {
        written += bytes.length;
      } while (socket.write(bytes) || (await eventOrEnd(socket, 'drain', aim.signal)) === 'event');
      await eventOrEnd(socket, 'close', aim.signal);
      socket.destroy();
    }
  }
  await Promise.all(Array.from({ length: sockets }, (_, number) => attacker(number)));
  return `${opened} connections, ${mb(written)} written`;
}

/** On each of 150 connections: sixteen requests at once, and the next sixteen when these are answered. */
async function askAndRead(aim: Aim): Promise<string> {
  const together = 16;
  const bytes = requestsTo('/livez', together);
  let answers = 0;
  async function attacker(number: number): Promise<void> {
    const socket = open(aim, addressOf(number));
    let due = together;
    socket.write(bytes);
    socket.on('data', (chunk) => {
      const heads = chunk.toString('latin1').split('HTTP/1.1 200').length - 1;
      answers += heads;
      due -= heads;
      if (due > 0) return;
      due = together;
      socket.write(bytes);
    });
    await eventOrEnd(socket, 'close', aim.signal);
    socket.destroy();
  }
  await Promise.all(Array.from({ length: 150 }, (_, number) => attacker(number)));
  return `${answers} answers`;
}

async function connectAndAsk(aim: Aim): Promise<string> {
  const bytes = requestsTo('/livez', 1);
  let opened = 0;
  async function attacker(number: number): Promise<void> {
    while (!aim.signal.aborted && opened < connectionsMax) {
      opened++;
      const socket = open(aim, addressOf(number));
      socket.write(bytes);
      await eventOrEnd(socket, 'data', aim.signal);
      socket.destroy();
    }
  }
  await Promise.all(Array.from({ length: 150 }, (_, number) => attacker(number)));
  return `${opened} connections`;
}

function requestsTo(path: string, count: number): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(count));
}

function addressOf(number: number): string {
  return addresses[number % 2] ?? addresses[0];
}

/** Unfinished requests from two addresses, more than the product has room for. */
async function halfOpen(aim: Aim): Promise<string> {
  const sockets: Socket[] = [];
  for (let i = 0; i < 5_050 && !aim.signal.aborted; i++) {
    const socket = open(aim, addressOf(i));
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n');
    sockets.push(socket);
    if (i % 100 === 99) await sleep(10);
  }
  await aborted(aim.signal);
  const kept = sockets.filter(({ destroyed }) => !destroyed).length;
  for (const socket of sockets) socket.destroy();
  return `${sockets.length} connections, ${kept} of them kept`;
}

/** Sixteen requests at once with many short JSON keys: a megabyte of them, or as many as a long body has room for. */
async function keysOfJson(aim: Aim): Promise<string> {
  const targets = [121_000, 55_000].flatMap((count) => {
    const keys = Array.from({ length: count }, (_, i) => `"${i.toString(36)}":1`).join();
    return [
      { path: '/mcp', body: `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{${keys}}}}` },
      { path: '/api/messages', body: `{"phone_number":"15551234567",${keys}}` },
      { path: '/api/send', body: `{"phone_number":"15551234567","message":"x",${keys}}` },
    ];
  });
  const answers = new Map<number, number>();
  async function attacker(number: number): Promise<void> {
    const { path, body } = targets[number % targets.length] ?? { path: '/mcp', body: '' };
    while (!aim.signal.aborted) {
      const status = await post(aim, path, body);
      answers.set(status, (answers.get(status) ?? 0) + 1);
    }
  }
  await Promise.all(Array.from({ length: 16 }, (_, number) => attacker(number)));
  return `answers by status: ${inWords(answers)}`;
}

/** Event streams that resume from the beginning, and that the attacker does not read. */
async function catchUps(aim: Aim): Promise<string> {
  const sockets = Array.from({ length: 150 }, (_, i) => open(aim, addressOf(i)));
  for (const socket of sockets) {
    socket.write('GET /api/events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 0-1\r\n\r\n');
  }
  await aborted(aim.signal);
  const kept = sockets.filter(({ destroyed }) => !destroyed).length;
  for (const socket of sockets) socket.destroy();
  return `${sockets.length} streams, ${kept} of them kept`;
}

/** Messages of the greatest length, of characters that JSON escapes with six bytes. */
async function sends(aim: Aim): Promise<string> {
  const body = JSON.stringify({ phone_number: '15551234567', message: '\u0001'.repeat(65_536) });
  const answers = new Map<number, number>();
  let sent = 0;
  async function attacker(): Promise<void> {
    while (!aim.signal.aborted && sent < 1_000) {
      sent++;
      const status = await post(aim, '/api/send', body, { prefer: 'respond-async' });
      answers.set(status, (answers.get(status) ?? 0) + 1);
    }
  }
  await Promise.all(Array.from({ length: 8 }, attacker));
  return `answers by status: ${inWords(answers)}`;
}

/** The status code of the answer; 0: there was none. */
async function post(aim: Aim, path: string, body: string, headers: object = {}): Promise<number> {
  try {
    const answer = await fetch(`http://127.0.0.1:${aim.port}${path}`, {
      method: 'POST',
      headers: {
        ...{ 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
        ...headers,
      },
      body,
      signal: aim.signal,
    });
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    await sleep(20);
    return 0;
  }
}

function open({ port }: Aim, localAddress: string): Socket {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  socket.on('error', () => undefined);
  return socket;
}

/** Resolves on whichever comes first: the event (`event`), or the end of the socket or the attack (`over`). */
function eventOrEnd(socket: Socket, event: string, signal: AbortSignal): Promise<'over' | 'event'> {
  return new Promise((resolve) => {
    const settle = (outcome: 'over' | 'event') => {
      socket.off(event, onEvent);
      socket.off('close', over);
      signal.removeEventListener('abort', over);
      resolve(outcome);
    };
    const onEvent = () => settle('event');
    const over = () => settle('over');
    if (signal.aborted || socket.destroyed) return over();
    socket.once(event, onEvent);
    socket.once('close', over);
    signal.addEventListener('abort', over);
  });
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function inWords(counts: ReadonlyMap<number, number>): string {
  const each = [...counts].sort(([a], [b]) => a - b);
  return each.map(([status, count]) => `${status === 0 ? 'none' : status}: ${count}`).join(', ');
}
