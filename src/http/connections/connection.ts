import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { bounds, type OnBound } from '../../contract/bounds.js';
import type { ResponseWithDefaults } from '../core/default-headers.js';

export type Answer = (request: IncomingMessage, response: ResponseWithDefaults) => void;

export interface ConnectionParts {
  readonly socket: Socket;
  readonly answer: Answer;
  readonly onBound: OnBound;
  /** A number that is greater each time. */
  readonly tick: () => number;
}

/**
 * The requests of one connection, answered one after the other: what a client has not read of one answer is all that is
 * kept for it. It may ask for {@link bounds.unanswered} before it has the first answer; with one more the one under way is
 * answered, and the connection ends.
 */
export class Connection {
  readonly #parts: ConnectionParts;
  readonly #waiting: ResponseWithDefaults[] = [];
  #current: ResponseWithDefaults | null = null;
  /** Whose body has not come yet. */
  #arriving: IncomingMessage | null = null;
  #isStopped = false;
  #idleSince: number;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.#idleSince = parts.tick();
    stopParserBeyond(parts.socket, () => {
      if (this.#count >= bounds.unanswered) this.#stop();
      return this.#isStopped;
    });
  }

  get socket(): Socket {
    return this.#parts.socket;
  }

  /** The tick at which it had nothing more to answer; null: it has. Half a request is nothing yet. */
  get idleSince(): number | null {
    return this.#current === null ? this.#idleSince : null;
  }

  /** Of the newest request the header is there, the body is not. */
  get isReadingBody(): boolean {
    return this.#arriving !== null && !this.#arriving.complete;
  }

  take(request: IncomingMessage, response: ResponseWithDefaults): void {
    // Where a version of Node does not let its parser be stopped, the rest of what it has read comes here.
    if (this.#count >= bounds.unanswered) this.#stop();
    if (this.#isStopped) return;
    this.#arriving = request;
    if (this.#current === null) this.#begin(response);
    else this.#waiting.push(response);
  }

  /** To be called when an answer is out. */
  onAnswered(): void {
    this.#current = null;
    if (this.#arriving?.complete) this.#arriving = null;
    const next = this.#waiting.shift();
    // Without a socket the answer would never come to an end: the connection has ended with the one before.
    if (next?.socket) {
      this.#begin(next);
      return;
    }
    this.#waiting.length = 0;
    this.#idleSince = this.#parts.tick();
    if (this.#isStopped) this.socket.destroySoon();
  }

  get #count(): number {
    return this.#waiting.length + (this.#current === null ? 0 : 1);
  }

  #begin(response: ResponseWithDefaults): void {
    this.#current = response;
    this.#parts.answer(response.req, response);
  }

  #stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#parts.onBound('unanswered');
    this.socket.pause();
    this.#waiting.length = 0;
    // Its head, where it is not out yet, then says that this is the end.
    if (this.#current !== null) this.#current.shouldKeepAlive = false;
  }
}

/** llhttp's HPE_PAUSED: the parser stops where it is, which Node tells as a `clientError` of that code. */
const paused = 21;

type OnIncoming = (request: IncomingMessage, shouldKeepAlive: boolean) => number;

/**
 * Node parses all that it has read at once, some 1,400 requests in 64 KiB, and makes objects of each of them: neither pausing nor
 * destroying the socket keeps it from that. What its parser calls for each of them does, so that goes through here.
 */
function stopParserBeyond(socket: Socket, isFull: () => boolean): void {
  const { parser } = socket as { parser?: { onIncoming?: OnIncoming | null } | null };
  const onIncoming = parser?.onIncoming;
  if (!parser || !onIncoming) return;
  parser.onIncoming = (request, shouldKeepAlive) =>
    isFull() ? paused : onIncoming(request, shouldKeepAlive);
}
