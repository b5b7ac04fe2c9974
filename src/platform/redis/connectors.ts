import { connect as connectPlainly, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectWithTls } from 'node:tls';
import { AbstractConnector, type RedisOptions, SentinelConnector } from 'ioredis';
import { pause } from '../deadline.js';

type Say = Parameters<AbstractConnector['connect']>[0];

/** The fields of INFO that ioredis' ready check hands over; none where the user may not ask. */
interface Info {
  readonly role?: string;
  readonly slave_read_only?: string;
}

/** Between two looks whether the server at the address is a master by now. */
const lookAgainMs = 1_000;

/** As ioredis' own, which is not to be had; see {@link survivingErrors}. */
export class ServerConnector extends AbstractConnector {
  readonly #options: RedisOptions;

  constructor(options: unknown) {
    super((options as RedisOptions).disconnectTimeout ?? 2_000);
    this.#options = options as RedisOptions;
  }

  override async connect(_say: Say): Promise<Socket> {
    this.connecting = true;
    this.stream = survivingErrors(socketTo(this.#options));
    this.stream.once('error', (error) => {
      this.firstError = error;
    });
    return this.stream;
  }
}

/**
 * The same, and a replica, which takes no writes, is left again before anything is asked of it. Behind one address, or named
 * by a sentinel that lags, it may be the master of before, and what it says may be old.
 */
export class MasterConnector extends ServerConnector {
  readonly #gate = new Gate();

  override check(info: Info): boolean {
    return this.#gate.takes(info);
  }

  override async connect(say: Say): Promise<Socket> {
    await this.#gate.pass(say);
    this.#gate.assertNotLeft();
    return super.connect(say);
  }

  override disconnect(): void {
    this.#gate.leave();
    super.disconnect();
  }
}

/** The same by way of the sentinels. */
export class SentinelMasterConnector extends SentinelConnector {
  readonly #gate = new Gate();

  constructor(options: unknown) {
    super(options as ConstructorParameters<typeof SentinelConnector>[0]);
  }

  override check(info: Info): boolean {
    const isTaken = this.#gate.takes(info);
    return super.check(info) && isTaken;
  }

  override async connect(say: Say): ReturnType<SentinelConnector['connect']> {
    await this.#gate.pass(say);
    this.#gate.assertNotLeft();
    return survivingErrors(await super.connect(say));
  }

  override disconnect(): void {
    this.#gate.leave();
    super.disconnect();
  }
}

/** Keeps a connection from a replica, and from looking at one without a pause. */
class Gate {
  #left = new AbortController();
  #refusedAt = Number.NEGATIVE_INFINITY;
  #say: Say = () => undefined;

  /** Resolves when the server may be looked at, or when the connection was given up. */
  async pass(say: Say): Promise<void> {
    this.#say = say;
    this.#left = new AbortController();
    const waitMs = this.#refusedAt + lookAgainMs - performance.now();
    if (waitMs > 0) await pause(waitMs, this.#left.signal);
  }

  /** By the words by which ioredis knows its own doing. */
  assertNotLeft(): void {
    if (this.#left.signal.aborted) throw new Error('Connection is closed.');
  }

  leave(): void {
    this.#left.abort();
  }

  /** A replica that may be written to is nobody's copy. */
  takes({ role, slave_read_only: isReadOnly }: Info): boolean {
    if (role !== 'slave' || isReadOnly === '0') return true;
    this.#refusedAt = performance.now();
    this.#say('error', new Error('it is a replica, which takes no writes'));
    return false;
  }
}

function socketTo({ path, host, port, family, tls }: RedisOptions): Socket {
  const place = path ? { path } : { host, port, family };
  return tls
    ? connectWithTls({ ...place, ...tls } as ConnectionOptions)
    : connectPlainly(place as { port: number });
}

/**
 * ioredis listens for one error of a socket. A TLS socket whose certificate the server refuses after the handshake, or
 * that is given up in the middle of it, can have two, and the second would end the process.
 */
function survivingErrors<Stream extends Socket>(stream: Stream): Stream {
  return stream.on('error', () => undefined);
}
