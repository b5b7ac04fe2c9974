import { once } from 'node:events';
import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

export interface RawOptions {
  /** Reads until the server closes, not only the first whole answer. */
  readonly untilClosed?: boolean;
  /** Half-closes after writing, as a client does that sends nothing more. */
  readonly thenEnd?: boolean;
}

/** After this much silence the connection is closed: the server hangs. */
const quietMs = 15_000;

/** Sends these bytes unchanged and reads the answers. */
export async function sendRaw(
  port: number,
  bytes: string | Buffer,
  { untilClosed = false, thenEnd = false }: RawOptions = {},
): Promise<RawAnswer[]> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let received = '';
  socket.setTimeout(quietMs, () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
    if (!untilClosed && hasWholeAnswer(received)) socket.destroy();
  });
  socket.on('error', () => undefined);
  const closed = once(socket, 'close');
  if (thenEnd) socket.end(bytes);
  else socket.write(bytes);
  await closed;
  return [...answersIn(received)];
}

function hasWholeAnswer(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return false;
  const [{ headers } = { headers: {} as Record<string, string> }] = answersIn(text);
  return text.length >= end + 4 + Number(headers['content-length'] ?? 0);
}

function* answersIn(text: string): Generator<RawAnswer> {
  let rest = text;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    const [statusLine = '', ...lines] = rest.slice(0, end).split('\r\n');
    const headers = Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    const length = Number(headers['content-length'] ?? 0);
    yield { status: Number(statusLine.split(' ')[1]), headers, body: rest.slice(end + 4, end + 4 + length) };
    rest = rest.slice(end + 4 + length);
  }
}
