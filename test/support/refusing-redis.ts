import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { eventArgs, RespFrames } from './resp.js';
import { digestOf, scriptNames } from './script-names.js';

/** What a client asks of Redis, as far as a refusal has to know it. */
export interface RedisRequest {
  /** A script by its name (`holdline_claim`, `moveToActive`), anything else by its command in lower case. */
  readonly step: string;
  /** What comes after the command; of a script its keys and arguments. Cut where it is long. */
  readonly words: readonly string[];
}

/** One kind of request that is refused until it is lifted. */
export interface Refusal {
  /** How often it was refused. */
  readonly times: number;
  /** The most refusals that one connection has met within a second. */
  readonly mostPerSecond: number;
  lift(): void;
}

/** A way to a Redis on which chosen requests are answered by an error instead of reaching it. */
export interface RefusingRedis {
  readonly port: number;
  readonly url: string;
  /** `error`: what Redis would say, without the leading `-`. For `most` requests at most. */
  refuse(which: (request: RedisRequest) => boolean, error: string, most?: number): Refusal;
  /** Nothing is refused any more. */
  lift(): void;
  close(): Promise<void>;
}

const wordsMax = 80;
const wordLengthMax = 256;
const published = Buffer.from('*3\r\n$7\r\nmessage');

interface Rule {
  readonly which: (request: RedisRequest) => boolean;
  readonly reply: Buffer;
  readonly met: { readonly connection: number; readonly at: number }[];
  readonly most: number;
}

/** A reply that is still to come: our own, or as many as Redis gives to what was passed on. */
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
    const sayOwn = () => {
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
        // Of these Redis answers each channel by itself.
        due.push({ left: /subscribe$/.test(request.step) ? Math.max(1, request.words.length) : 1 });
        server.write(frame);
      }
      server.uncork();
      sayOwn();
    });
    server.on('data', (piece) => {
      client.cork();
      for (const frame of replies.add(piece)) {
        client.write(frame);
        const [next] = due;
        // What is published answers no request.
        if (next === undefined || 'own' in next || isPublished(frame)) continue;
        next.left--;
        if (next.left === 0) due.shift();
        sayOwn();
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
  const [command = '', ...words] = eventArgs(frame, wordsMax, wordLengthMax);
  const step = command.toLowerCase();
  if (step !== 'evalsha' && step !== 'eval') return { step, words };
  const [script = '', , ...rest] = words;
  // A client's first run of a script has its source.
  const digest =
    step === 'evalsha' ? script : digestOf(eventArgs(frame, 2, Number.POSITIVE_INFINITY)[1] ?? '');
  return { step: names.get(digest) ?? step, words: rest };
}

function isPublished(frame: Buffer): boolean {
  return frame.subarray(0, published.length).equals(published);
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
