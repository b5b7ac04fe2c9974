import type { Readable, Writable } from 'node:stream';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { MiB } from '../../contract/bounds.js';
import { type Deferred, deferred, unlessAborted } from '../../platform/deadline.js';
import { MessageSplitter } from './message-splitter.js';

/** Max bytes that a port's holder has not read yet. Beyond this the pipe is not read, and the browser has to wait. */
const unreadMaxBytes = 16 * MiB;

/** The session of a message. Chromium writes this field last; a nested one would be followed by another brace. */
const sessionAtEnd = /,"sessionId":"([0-9A-F]{32})"\}$/;

/** Enough of a message's end to match {@link sessionAtEnd}. */
const sessionEndLength = 60;

type Result = Readonly<Record<string, unknown>>;

interface Answer {
  readonly result?: Result;
  readonly error?: { readonly message: string };
  readonly isGone?: boolean;
}

const gone: Answer = { error: { message: 'the browser is gone' }, isGone: true };

const crashed: Answer = { error: { message: 'the page has crashed' }, isGone: true };

const detached: Answer = { error: { message: 'the page or worker is gone' }, isGone: true };

/** What a command was sent to does not exist any more. */
export class TargetGoneError extends Error {}

/** A command of the supervisor itself that waits for its answer. */
interface Call {
  readonly session: string | undefined;
  readonly answered: Deferred<Answer>;
}

const never = new AbortController().signal;

/** The user of the other end of a port. */
interface Holder {
  readonly port: MessagePort;
  /** Its session with the browser itself. Messages that are about no page belong to it; on the port they do not name it. */
  readonly session: string;
  unreadBytes: number;
}

/**
 * Chromium's debugging pipe. The supervisor's own commands share it with any number of holders of a port. A holder speaks the
 * DevTools protocol as if it had its own connection. When its port closes, all of its sessions close. Unlike a network port,
 * the pipe cannot be reached from outside this process.
 */
export class DebuggingPipe {
  readonly #input: Writable;
  readonly #output: Readable;
  readonly #calls = new Map<number, Call>();
  readonly #holders = new Map<string, Holder>();
  readonly #listeners = new Map<string, (params: Result, session: string | undefined) => void>();
  #lastCall = 0;
  #isClosed = false;

  /** `input`: what Chromium reads (its descriptor 3); `output`: what it writes (4). */
  constructor(input: Writable, output: Readable) {
    this.#input = input;
    this.#output = output;
    input.on('error', () => {});
    output.on('error', () => {});
    const splitter = new MessageSplitter((message) => this.#onMessage(message));
    output.on('data', (chunk: Buffer) => splitter.push(chunk));
    output.once('close', () => this.#close());
  }

  /**
   * Sends a command to the browser, or to the page that is attached as `session`. Rejects with the error in the answer, when
   * `signal` aborts, or when the browser or page is gone. A page reports its crash only after `Inspector.enable`.
   */
  async command(method: string, params: object, signal = never, session?: string): Promise<Result> {
    const id = ++this.#lastCall;
    const answered = deferred<Answer>();
    this.#calls.set(id, { session, answered });
    if (this.#isClosed) answered.resolve(gone);
    else this.#write(JSON.stringify({ id, method, params, sessionId: session }));
    try {
      const { result = {}, error, isGone } = await unlessAborted(answered.promise, signal);
      if (error !== undefined) throw new (isGone ? TargetGoneError : Error)(`${method}: ${error.message}`);
      return result;
    } finally {
      this.#calls.delete(id);
    }
  }

  /** Calls `listener` for each event of this name that is of no holder; `session`: undefined for the browser's own. */
  on(method: string, listener: (params: Result, session: string | undefined) => void): void {
    this.#listeners.set(method, listener);
  }

  /** A port to the browser. It closes with the browser, or when the browser refuses it. */
  openPort(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    port1.unref();
    void this.command('Target.attachToBrowserTarget', {}).then(
      ({ sessionId }) => this.#serve({ port: port1, session: String(sessionId), unreadBytes: 0 }),
      () => port1.close(),
    );
    return port2;
  }

  #serve(holder: Holder): void {
    const { port, session } = holder;
    this.#holders.set(session, holder);
    port.on('message', (message: string | number) => {
      if (typeof message === 'number') return this.#onRead(holder, message);
      const isWithin = sessionAtEnd.test(message.slice(-sessionEndLength));
      this.#write(isWithin ? message : `${message.slice(0, -1)},"sessionId":"${session}"}`);
    });
    port.once('close', () => {
      for (const [id, each] of this.#holders) if (each === holder) this.#holders.delete(id);
      this.#output.resume();
      this.command('Target.detachFromTarget', { sessionId: session }).catch(() => undefined);
    });
  }

  #onRead(holder: Holder, bytes: number): void {
    holder.unreadBytes -= bytes;
    if ([...this.#holders.values()].every(({ unreadBytes }) => unreadBytes < unreadMaxBytes))
      this.#output.resume();
  }

  #write(message: string): void {
    if (this.#input.writable) this.#input.write(`${message}\0`);
  }

  #onMessage(message: string): void {
    const session = sessionAtEnd.exec(message.slice(-sessionEndLength))?.[1];
    const holder = session === undefined ? undefined : this.#holders.get(session);
    // Includes messages for holders that have left, which no call waits for.
    if (session === undefined || holder === undefined) return this.#onAnswer(message, session);
    this.#followSessions(message, holder);
    const isOwn = session === holder.session;
    holder.unreadBytes += message.length;
    if (holder.unreadBytes >= unreadMaxBytes) this.#output.pause();
    holder.port.postMessage(isOwn ? `${message.slice(0, message.lastIndexOf(',"sessionId"'))}}` : message);
  }

  /** A session that is opened within another one belongs to the same holder. */
  #followSessions(message: string, holder: Holder): void {
    const [, isNew] = /^\{"method":"Target\.(at|de)tached(?:To|From)Target"/.exec(message.slice(0, 60)) ?? [];
    if (isNew === undefined) return;
    const { params } = JSON.parse(message) as { params: { sessionId: string } };
    if (isNew === 'at') this.#holders.set(params.sessionId, holder);
    else this.#holders.delete(params.sessionId);
  }

  #onAnswer(message: string, session: string | undefined): void {
    const method = this.#listeners.size === 0 ? undefined : /^\{"method":"([\w.]+)"/.exec(message)?.[1];
    const listener = method === undefined ? undefined : this.#listeners.get(method);
    if (listener !== undefined) listener((JSON.parse(message) as { params: Result }).params, session);
    if (this.#calls.size > 0 && message.startsWith('{"method":"Target.detachedFromTarget"'))
      this.#onDetached(JSON.parse(message) as { params: { sessionId: string } });
    const calls = [...this.#calls].filter(([, call]) => call.session === session);
    if (calls.length === 0) return;
    const answer = JSON.parse(message) as Answer & { readonly id?: number; readonly method?: string };
    const isCrash = answer.method === 'Inspector.targetCrashed';
    for (const [id, { answered }] of calls) {
      if (isCrash) answered.resolve(crashed);
      else if (id === answer.id) answered.resolve(answer);
    }
  }

  /** No answer comes to what was asked in this session. */
  #onDetached({ params: { sessionId } }: { readonly params: { readonly sessionId: string } }): void {
    for (const { session, answered } of this.#calls.values())
      if (session === sessionId) answered.resolve(detached);
  }

  #close(): void {
    this.#isClosed = true;
    for (const { answered } of this.#calls.values()) answered.resolve(gone);
    for (const { port } of this.#holders.values()) port.close();
  }
}
