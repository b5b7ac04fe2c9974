import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { bounds, type OnBound } from '../../contract/bounds.js';
import type { Addresses } from '../core/client-ip.js';
import type { ResponseWithDefaults } from '../core/default-headers.js';
import { AddressTurns } from './address-turns.js';
import { type Answer, Connection } from './connection.js';

interface ConnectionsParts {
  readonly addresses: Addresses;
  readonly answer: Answer;
  readonly onBound: OnBound;
}

/** Whoever holds connections: one address, as limits know it. */
interface Holder {
  readonly name: string;
  readonly connections: Set<Connection>;
}

/**
 * The connections to a replica. Where there are as many as may be, a new one takes the place of one that asks for nothing: of its
 * own address where that holds too many, else of the address that holds most. So nobody who fills a replica keeps others
 * out. A trusted proxy is many clients: it may hold any number of them, and none of its own give way.
 */
export class Connections {
  readonly #parts: ConnectionsParts;
  readonly #connections = new Map<
    Socket,
    { readonly connection: Connection; readonly holder: Holder | null }
  >();
  readonly #holders = new Map<string, Holder>();
  /** The holders of n connections each, at n: whoever holds most is found without a search. */
  readonly #byCount: Set<Holder>[] = [];
  readonly #turns = new AddressTurns();
  #ticks = 0;

  constructor(parts: ConnectionsParts) {
    this.#parts = parts;
  }

  accept(socket: Socket): void {
    const { addresses, onBound } = this.#parts;
    const holder = addresses.isProxy(socket) ? null : this.#holderNamed(addresses.ofSocket(socket));
    if (!this.#hasRoomFor(holder)) {
      socket.destroy();
      return;
    }
    const connection = new Connection({ socket, answer: this.#answer, onBound, tick: () => ++this.#ticks });
    this.#connections.set(socket, { connection, holder });
    if (holder !== null) this.#recount(holder, () => holder.connections.add(connection));
    socket.once('close', () => this.#remove(socket));
  }

  take(request: IncomingMessage, response: ResponseWithDefaults): void {
    this.#connections.get(request.socket)?.connection.take(request, response);
  }

  onAnswered(socket: Socket): void {
    this.#connections.get(socket)?.connection.onAnswered();
  }

  isReadingBody(socket: unknown): boolean {
    return this.#connections.get(socket as Socket)?.connection.isReadingBody === true;
  }

  readonly #answer: Answer = (request, response) =>
    this.#turns.take(this.#parts.addresses.of(request), () => {
      // Its client may have left meanwhile.
      if (response.socket !== null) this.#parts.answer(request, response);
    });

  #hasRoomFor(holder: Holder | null): boolean {
    if (holder !== null && holder.connections.size >= bounds.connectionsPerAddress) {
      this.#parts.onBound('connectionsPerAddress');
      return this.#makeRoom(holder);
    }
    if (this.#connections.size < bounds.connections) return true;
    this.#parts.onBound('connections');
    const [heaviest] = this.#byCount.at(-1) ?? [];
    return heaviest !== undefined && this.#makeRoom(heaviest);
  }

  #makeRoom(holder: Holder): boolean {
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
    // What it passes on the way has a place too, so that there are no gaps.
    for (let n = this.#byCount.length; n <= count; n++) this.#byCount[n] = new Set();
    if (count > 0) {
      this.#byCount[count]?.add(holder);
      this.#holders.set(holder.name, holder);
    } else this.#holders.delete(holder.name);
    while (this.#byCount.at(-1)?.size === 0) this.#byCount.pop();
  }
}
