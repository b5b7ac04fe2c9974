import type { Readable, Writable } from 'node:stream';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { MiB } from '../../contract/bounds.js';
import { type Deferred, deferred, unlessAborted } from '../../platform/deadline.js';

/** What a session may be behind with; beyond it the browser has to wait. */
const behindMaxBytes = 16 * MiB;

/** A longer message of the browser is thrown away, and costs whoever waits for it. */
const messageMaxBytes = 64 * MiB;

/** The session of a message: Chromium writes it last, and at the top level only here. */
const sessionAtEnd = /,"sessionId":"([0-9A-F]{32})"\}$/;

/** At the end of a message there is room for no more than that. */
const sessionLength = 60;

type Result = Readonly<Record<string, unknown>>;

interface Answer {
  readonly result?: Result;
  readonly error?: { readonly message: string };
}

const gone: Answer = { error: { message: 'the browser is gone' } };

const crashed: Answer = { error: { message: 'the page has crashed' } };

/** A command of the supervisor's own that waits for its answer. */
interface Call {
  readonly session: string | undefined;
  readonly answered: Deferred<Answer>;
}

const never = new AbortController().signal;

/** The one on the other end of a port. */
interface Holder {
  readonly port: MessagePort;
  /** All of its messages that are about no page are of this session, which they do not name. */
  readonly session: string;
  behindBytes: number;
}

/**
 * Chromium's debugging pipe: the supervisor's own commands, and any number of sessions that others hold by a port. Who holds
 * one speaks the DevTools protocol as over a connection of its own; when its port closes, so do all sessions within.
 * Unlike a port on the network it can be reached by nobody else.
 */
export class DebuggingPipe {
  readonly #input: Writable;
  readonly #output: Readable;
  readonly #calls = new Map<number, Call>();
  readonly #holders = new Map<string, Holder>();
  #lastCall = 0;
  #unfinished: Buffer[] = [];
  #unfinishedBytes = 0;
  #isClosed = false;

  /** `input`: what Chromium reads (its descriptor 3); `output`: what it writes (4). */
  constructor(input: Writable, output: Readable) {
    this.#input = input;
    this.#output = output;
    input.on('error', () => {});
    output.on('error', () => {});
    output.on('data', (chunk: Buffer) => this.#read(chunk));
    output.once('close', () => this.#close());
  }

  /**
   * One command to the browser itself, or to a page that has been attached to as `session`; rejects with its error, as soon as
   * `signal` aborts, or when the browser or the page is gone. Of a crash a page tells only after `Inspector.enable`.
   */
  async command(method: string, params: object, signal = never, session?: string): Promise<Result> {
    const id = ++this.#lastCall;
    const answered = deferred<Answer>();
    this.#calls.set(id, { session, answered });
    if (this.#isClosed) answered.resolve(gone);
    else this.#write(JSON.stringify({ id, method, params, sessionId: session }));
    try {
      const { result = {}, error } = await unlessAborted(answered.promise, signal);
      if (error !== undefined) throw new Error(`${method}: ${error.message}`);
      return result;
    } finally {
      this.#calls.delete(id);
    }
  }

  /** A port that speaks with the browser; it closes with the browser, or when it cannot be had. */
  openPort(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    port1.unref();
    void this.command('Target.attachToBrowserTarget', {}).then(
      ({ sessionId }) => this.#serve({ port: port1, session: String(sessionId), behindBytes: 0 }),
      () => port1.close(),
    );
    return port2;
  }

  #serve(holder: Holder): void {
    const { port, session } = holder;
    this.#holders.set(session, holder);
    port.on('message', (message: string | number) => {
      if (typeof message === 'number') return this.#caughtUp(holder, message);
      const isWithin = sessionAtEnd.test(message.slice(-sessionLength));
      this.#write(isWithin ? message : `${message.slice(0, -1)},"sessionId":"${session}"}`);
    });
    port.once('close', () => {
      for (const [id, each] of this.#holders) if (each === holder) this.#holders.delete(id);
      this.#output.resume();
      this.command('Target.detachFromTarget', { sessionId: session }).catch(() => undefined);
    });
  }

  #caughtUp(holder: Holder, bytes: number): void {
    holder.behindBytes -= bytes;
    if ([...this.#holders.values()].every(({ behindBytes }) => behindBytes < behindMaxBytes))
      this.#output.resume();
  }

  #write(message: string): void {
    if (this.#input.writable) this.#input.write(`${message}\0`);
  }

  #read(chunk: Buffer): void {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(0, from);
      const part = chunk.subarray(from, end === -1 ? undefined : end);
      this.#unfinishedBytes += part.length;
      if (this.#unfinishedBytes > messageMaxBytes) this.#unfinished = [];
      else this.#unfinished.push(part);
      if (end === -1) return;
      from = end + 1;
      const parts = this.#unfinished;
      this.#unfinished = [];
      this.#unfinishedBytes = 0;
      if (parts.length === 0) continue;
      try {
        this.#onMessage(Buffer.concat(parts).toString());
      } catch {
        // Not the protocol: it costs whoever waits for it, who does not wait for ever.
      }
    }
  }

  #onMessage(message: string): void {
    const session = sessionAtEnd.exec(message.slice(-sessionLength))?.[1];
    const holder = session === undefined ? undefined : this.#holders.get(session);
    // Also of those who have left.
    if (session === undefined || holder === undefined) return this.#onAnswer(message, session);
    this.#followSessions(message, holder);
    const isOwn = session === holder.session;
    holder.behindBytes += message.length;
    if (holder.behindBytes >= behindMaxBytes) this.#output.pause();
    holder.port.postMessage(isOwn ? `${message.slice(0, message.lastIndexOf(',"sessionId"'))}}` : message);
  }

  /** Sessions that come to be within one are its holder's, too. */
  #followSessions(message: string, holder: Holder): void {
    const [, isNew] = /^\{"method":"Target\.(at|de)tached(?:To|From)Target"/.exec(message.slice(0, 60)) ?? [];
    if (isNew === undefined) return;
    const { params } = JSON.parse(message) as { params: { sessionId: string } };
    if (isNew === 'at') this.#holders.set(params.sessionId, holder);
    else this.#holders.delete(params.sessionId);
  }

  #onAnswer(message: string, session: string | undefined): void {
    const calls = [...this.#calls].filter(([, call]) => call.session === session);
    if (calls.length === 0) return;
    const answer = JSON.parse(message) as Answer & { readonly id?: number; readonly method?: string };
    const isCrash = answer.method === 'Inspector.targetCrashed';
    for (const [id, { answered }] of calls) {
      if (isCrash) answered.resolve(crashed);
      else if (id === answer.id) answered.resolve(answer);
    }
  }

  #close(): void {
    this.#isClosed = true;
    for (const { answered } of this.#calls.values()) answered.resolve(gone);
    for (const { port } of this.#holders.values()) port.close();
  }
}
