import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { bounds, type OnBound } from '../../contract/bounds.js';
import type { Addresses } from '../core/client-ip.js';
import type { ResponseWithDefaults } from '../core/responses.js';
import { Connection, type Handle } from './connection.js';
import { FairScheduler } from './fair-scheduler.js';

interface ConnectionsParts {
  readonly addresses: Addresses;
  readonly handle: Handle;
  readonly onBound: OnBound;
}

/** An address that has connections. */
interface Holder {
  readonly name: string;
  readonly connections: Set<Connection>;
}

/**
 * All connections to a replica. At a limit, a new connection replaces the one that has been idle longest: one of its own address
 * if that address has too many, else one of the address with the most connections. So a client that fills the replica cannot keep
 * others out. If none of these is idle, the new connection is closed. A trusted proxy has many clients: it may have any number of
 * connections, and none of them is replaced.
 */
export class Connections {
  readonly #parts: ConnectionsParts;
  readonly #connections = new Map<
    Socket,
    { readonly connection: Connection; readonly holder: Holder | null }
  >();
  readonly #holders = new Map<string, Holder>();
  /** Holders by their number of connections, to find one with the most without a search. */
  readonly #byCount: Set<Holder>[] = [];
  readonly #scheduler = new FairScheduler();
  #sequence = 0;

  constructor(parts: ConnectionsParts) {
    this.#parts = parts;
  }

  accept(socket: Socket): void {
    const { addresses, onBound } = this.#parts;
    const holder = addresses.isProxy(socket) ? null : this.#holderNamed(addresses.ofSocket(socket));
    if (!this.#makeRoomFor(holder)) {
      socket.destroy();
      return;
    }
    const connection = new Connection({
      socket,
      handle: this.#handleInTurn,
      onBound,
      nextSequence: () => ++this.#sequence,
    });
    this.#connections.set(socket, { connection, holder });
    if (holder !== null) this.#recount(holder, () => holder.connections.add(connection));
    socket.once('close', () => this.#remove(socket));
  }

  handle(request: IncomingMessage, response: ResponseWithDefaults): void {
    this.#connections.get(request.socket)?.connection.handle(request, response);
  }

  onResponseClosed(socket: Socket): void {
    this.#connections.get(socket)?.connection.onResponseClosed();
  }

  isReadingBody(socket: unknown): boolean {
    return this.#connections.get(socket as Socket)?.connection.isReadingBody === true;
  }

  readonly #handleInTurn: Handle = (request, response) =>
    this.#scheduler.run(this.#parts.addresses.of(request), () => {
      // The client may have left during the wait.
      if (response.socket !== null) this.#parts.handle(request, response);
    });

  /** Returns whether one more connection may be accepted. Closes another one if necessary. */
  #makeRoomFor(holder: Holder | null): boolean {
    if (holder !== null && holder.connections.size >= bounds.connectionsPerAddress) {
      this.#parts.onBound('connectionsPerAddress');
      return this.#closeIdle(holder);
    }
    if (this.#connections.size < bounds.connections) return true;
    this.#parts.onBound('connections');
    const [largest] = this.#byCount.at(-1) ?? [];
    return largest !== undefined && this.#closeIdle(largest);
  }

  /** Closes the connection that has been idle longest. Returns false if none is idle. */
  #closeIdle(holder: Holder): boolean {
    let oldest: Connection | null = null;
    for (const each of holder.connections) {
      const since = each.idleSince;
      if (since !== null && since < (oldest?.idleSince ?? Number.POSITIVE_INFINITY)) oldest = each;
    }
    if (oldest === null) return false;
    this.#remove(oldest.socket);
    oldest.socket.destroy();
    return true;
  }

  #holderNamed(name: string): Holder {
    return this.#holders.get(name) ?? { name, connections: new Set() };
  }

  #remove(socket: Socket): void {
    const found = this.#connections.get(socket);
    if (found === undefined) return;
    this.#connections.delete(socket);
    const { connection, holder } = found;
    if (holder !== null) this.#recount(holder, () => holder.connections.delete(connection));
  }

  #recount(holder: Holder, change: () => void): void {
    this.#byCount[holder.connections.size]?.delete(holder);
    change();
    const count = holder.connections.size;
    // Fills every index up to this count, so that the array has no gaps.
    for (let n = this.#byCount.length; n <= count; n++) this.#byCount[n] = new Set();
    if (count > 0) {
      this.#byCount[count]?.add(holder);
      this.#holders.set(holder.name, holder);
    } else this.#holders.delete(holder.name);
    while (this.#byCount.at(-1)?.size === 0) this.#byCount.pop();
  }
}
