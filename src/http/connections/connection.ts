import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { bounds, type OnBound } from '../../contract/bounds.js';
import type { ResponseWithDefaults } from '../core/responses.js';

export type Handle = (request: IncomingMessage, response: ResponseWithDefaults) => void;

export interface ConnectionParts {
  readonly socket: Socket;
  readonly handle: Handle;
  readonly onBound: OnBound;
  /** Returns a greater number each time. */
  readonly nextSequence: () => number;
}

/**
 * One client connection. Its requests are handled one after the other, so at most one response waits in memory until the client
 * reads it. A client may pipeline {@link bounds.unanswered} requests. If it sends one more, the request in flight is answered, the
 * others are dropped, and the connection closes.
 */
export class Connection {
  readonly #parts: ConnectionParts;
  readonly #waiting: ResponseWithDefaults[] = [];
  #current: ResponseWithDefaults | null = null;
  /** The newest request, until its body is complete. */
  #incoming: IncomingMessage | null = null;
  #isStopped = false;
  #idleSince: number;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.#idleSince = parts.nextSequence();
    pauseParserWhenFull(parts.socket, () => {
      if (this.#count >= bounds.unanswered) this.#stop();
      return this.#isStopped;
    });
  }

  get socket(): Socket {
    return this.#parts.socket;
  }

  /** Sequence number of the moment at which the connection became idle; null: it has a request. An incomplete header is not a request yet. */
  get idleSince(): number | null {
    return this.#current === null ? this.#idleSince : null;
  }

  /** The header of the newest request has arrived, but its body is incomplete. */
  get isReadingBody(): boolean {
    return this.#incoming !== null && !this.#incoming.complete;
  }

  handle(request: IncomingMessage, response: ResponseWithDefaults): void {
    // Reached only if this version of Node does not let its parser be paused.
    if (this.#count >= bounds.unanswered) this.#stop();
    if (this.#isStopped) return;
    this.#incoming = request;
    if (this.#current === null) this.#begin(response);
    else this.#waiting.push(response);
  }

  /** Call when a response has closed. */
  onResponseClosed(): void {
    this.#current = null;
    if (this.#incoming?.complete) this.#incoming = null;
    const next = this.#waiting.shift();
    // Without a socket the connection has closed, and the next response would never end.
    if (next?.socket) {
      this.#begin(next);
      return;
    }
    this.#waiting.length = 0;
    this.#idleSince = this.#parts.nextSequence();
    if (this.#isStopped) this.socket.destroySoon();
  }

  get #count(): number {
    return this.#waiting.length + (this.#current === null ? 0 : 1);
  }

  #begin(response: ResponseWithDefaults): void {
    this.#current = response;
    this.#parts.handle(response.req, response);
  }

  #stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#parts.onBound('unanswered');
    this.socket.pause();
    this.#waiting.length = 0;
    // If its header is not sent yet, it will contain `Connection: close`.
    if (this.#current !== null) this.#current.shouldKeepAlive = false;
  }
}

/** llhttp's HPE_PAUSED: the parser stops where it is, and Node emits `clientError` with that code. */
const paused = 21;

type OnIncoming = (request: IncomingMessage, shouldKeepAlive: boolean) => number;

/**
 * Node parses all bytes that it has read, and allocates objects for each request in them: 64 KiB can hold 1,400 requests. Pausing
 * or destroying the socket does not prevent this. The return value of the parser's callback does (docs/decisions/0021).
 */
function pauseParserWhenFull(socket: Socket, isFull: () => boolean): void {
  const { parser } = socket as { parser?: { onIncoming?: OnIncoming | null } | null };
  const onIncoming = parser?.onIncoming;
  if (!parser || !onIncoming) return;
  parser.onIncoming = (request, shouldKeepAlive) =>
    isFull() ? paused : onIncoming(request, shouldKeepAlive);
}
