import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { commandWords, RespFrames } from './resp.js';
import { digestOf, scriptNames } from './script-names.js';

/** A client's request, in the detail that a refusal needs. */
export interface RedisRequest {
  /** The name of a script (`holdline_claimRun`, `moveToActive`); for any other command its name in lower case. */
  readonly step: string;
  /** The arguments of the command; for a script its keys and arguments. Long ones are cut. */
  readonly words: readonly string[];
}

/** A rule that refuses requests until it is lifted. */
export interface Refusal {
  /** Requests refused so far. */
  readonly times: number;
  /** The most requests of one connection that were refused within one second. */
  readonly mostPerSecond: number;
  lift(): void;
}

/** A proxy in front of Redis. It answers chosen requests with an error and passes all others on. */
export interface RefusingRedis {
  readonly port: number;
  readonly url: string;
  /** `error`: the error reply without the leading `-`. Refuses at most `most` requests. */
  refuse(which: (request: RedisRequest) => boolean, error: string, most?: number): Refusal;
  /** Lifts every refusal. */
  lift(): void;
  close(): Promise<void>;
}

const wordsMax = 80;
const wordLengthMax = 256;

interface Rule {
  readonly which: (request: RedisRequest) => boolean;
  readonly reply: Buffer;
  readonly met: { readonly connection: number; readonly at: number }[];
  readonly most: number;
}

/** A reply that is still due: our own, or a number of replies from Redis. */
type Due = { readonly own: Buffer } | { left: number };

export async function startRefusingRedis(targetPort: number): Promise<RefusingRedis> {
  const names = await scriptNames();
  const rules = new Set<Rule>();
  const clients = new Set<Socket>();
  let connections = 0;

  const listener = createServer((client) => {
    const connection = ++connections;
    const server = connect(targetPort, '127.0.0.1');
    clients.add(client);
    for (const socket of [client, server]) socket.setNoDelay(true).on('error', () => undefined);
    client.on('close', () => {
      clients.delete(client);
      server.destroy();
    });
    server.on('close', () => client.destroy());
    relay(client, server, connection);
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');

  function relay(client: Socket, server: Socket, connection: number): void {
    const requests = new RespFrames();
    const replies = new RespFrames();
    const due: Due[] = [];
    const sendOwn = () => {
      for (let [next] = due; next !== undefined && 'own' in next; [next] = due) {
        client.write(next.own);
        due.shift();
      }
    };
    client.on('data', (piece) => {
      server.cork();
      for (const frame of requests.add(piece)) {
        const request = requestOf(frame, names);
        const own = refusalOf(request, connection);
        if (own !== null) {
          due.push({ own });
          continue;
        }
        // Redis replies to (un)subscribe once for each channel.
        due.push({ left: /subscribe$/.test(request.step) ? Math.max(1, request.words.length) : 1 });
        server.write(frame);
      }
      server.uncork();
      sendOwn();
    });
    server.on('data', (piece) => {
      client.cork();
      for (const frame of replies.add(piece)) {
        client.write(frame);
        const [next] = due;
        // A published message is not the reply to a request.
        if (next === undefined || 'own' in next || isPublished(frame)) continue;
        next.left--;
        if (next.left === 0) due.shift();
        sendOwn();
      }
      client.uncork();
    });
  }

  function refusalOf(request: RedisRequest, connection: number): Buffer | null {
    for (const rule of rules) {
      if (rule.met.length >= rule.most || !rule.which(request)) continue;
      rule.met.push({ connection, at: performance.now() });
      return rule.reply;
    }
    return null;
  }

  const { port } = listener.address() as AddressInfo;
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    refuse(which, error, most = Number.POSITIVE_INFINITY) {
      const rule: Rule = { which, reply: Buffer.from(`-${error}\r\n`), met: [], most };
      rules.add(rule);
      return {
        get times() {
          return rule.met.length;
        },
        get mostPerSecond() {
          return mostPerSecond(rule.met);
        },
        lift: () => void rules.delete(rule),
      };
    },
    lift: () => rules.clear(),
    async close() {
      const closed = once(listener, 'close');
      listener.close();
      for (const client of clients) client.destroy();
      await closed;
    },
  };
}

function requestOf(frame: Buffer, names: ReadonlyMap<string, string>): RedisRequest {
  const [command = '', ...words] = commandWords(frame, wordsMax, wordLengthMax);
  const step = command.toLowerCase();
  if (step !== 'evalsha' && step !== 'eval') return { step, words };
  const [script = '', , ...rest] = words;
  // EVAL has the source of the script in place of its digest.
  const digest =
    step === 'evalsha' ? script : digestOf(commandWords(frame, 2, Number.POSITIVE_INFINITY)[1] ?? '');
  return { step: names.get(digest) ?? step, words: rest };
}

/** In either version of the protocol. */
function isPublished(frame: Buffer): boolean {
  return /^[*>]3\r\n\$7\r\nmessage/.test(frame.toString('latin1', 0, 20));
}

function mostPerSecond(met: Rule['met']): number {
  let most = 0;
  for (const connection of new Set(met.map((each) => each.connection))) {
    const times = met.filter((each) => each.connection === connection).map(({ at }) => at);
    times.forEach((at, i) => {
      most = Math.max(most, times.filter((other, j) => j >= i && other < at + 1_000).length);
    });
  }
  return most;
}
