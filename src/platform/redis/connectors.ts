import { connect as connectPlainly, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectWithTls } from 'node:tls';
import { AbstractConnector, type RedisOptions, SentinelConnector } from 'ioredis';
import { pause } from '../deadline.js';

type Emit = Parameters<AbstractConnector['connect']>[0];

/** The fields of INFO that ioredis' ready check passes. They are missing if the user may not run INFO. */
interface ServerInfo {
  readonly role?: string;
  readonly slave_read_only?: string;
}

/** After a replica was refused, until the next connection attempt. */
const replicaRetryMs = 1_000;

/** Works like ioredis' own connector, which ioredis does not export, and adds {@link ignoringErrors}. */
export class ServerConnector extends AbstractConnector {
  readonly #options: RedisOptions;

  constructor(options: unknown) {
    super((options as RedisOptions).disconnectTimeout ?? 2_000);
    this.#options = options as RedisOptions;
  }

  override async connect(_emit: Emit): Promise<Socket> {
    this.connecting = true;
    this.stream = ignoringErrors(socketTo(this.#options));
    this.stream.once('error', (error) => {
      this.firstError = error;
    });
    return this.stream;
  }
}

/**
 * Disconnects from a read-only replica before any command is sent to it. The replica may be the former master, with old data: a
 * fixed address, or a sentinel that lags, can still lead to it.
 */
export class MasterConnector extends ServerConnector {
  readonly #replicas = new ReplicaRefusal();

  override check(info: ServerInfo): boolean {
    return this.#replicas.accepts(info);
  }

  override async connect(emit: Emit): Promise<Socket> {
    await this.#replicas.waitToConnect(emit);
    this.#replicas.assertNotDisconnected();
    return super.connect(emit);
  }

  override disconnect(): void {
    this.#replicas.disconnect();
    super.disconnect();
  }
}

/** The same for a master that sentinels name. */
export class SentinelMasterConnector extends SentinelConnector {
  readonly #replicas = new ReplicaRefusal();

  constructor(options: unknown) {
    super(options as ConstructorParameters<typeof SentinelConnector>[0]);
  }

  override check(info: ServerInfo): boolean {
    const isAccepted = this.#replicas.accepts(info);
    return super.check(info) && isAccepted;
  }

  override async connect(emit: Emit): ReturnType<SentinelConnector['connect']> {
    await this.#replicas.waitToConnect(emit);
    this.#replicas.assertNotDisconnected();
    return ignoringErrors(await super.connect(emit));
  }

  override disconnect(): void {
    this.#replicas.disconnect();
    super.disconnect();
  }
}

/** Refuses read-only replicas, and delays the connection attempt after a refusal. */
class ReplicaRefusal {
  #disconnected = new AbortController();
  #refusedAt = Number.NEGATIVE_INFINITY;
  #emit: Emit = () => undefined;

  /** Resolves when the connection may be attempted, or was disconnected. */
  async waitToConnect(emit: Emit): Promise<void> {
    this.#emit = emit;
    this.#disconnected = new AbortController();
    const waitMs = this.#refusedAt + replicaRetryMs - performance.now();
    if (waitMs > 0) await pause(waitMs, this.#disconnected.signal);
  }

  /** Throws the message by which ioredis recognizes its own disconnect. */
  assertNotDisconnected(): void {
    if (this.#disconnected.signal.aborted) throw new Error('Connection is closed.');
  }

  disconnect(): void {
    this.#disconnected.abort();
  }

  /** A replica that accepts writes is accepted: its data are its own. */
  accepts({ role, slave_read_only: isReadOnly }: ServerInfo): boolean {
    if (role !== 'slave' || isReadOnly === '0') return true;
    this.#refusedAt = performance.now();
    this.#emit('error', new Error('it is a replica, which takes no writes'));
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
 * ioredis listens for the first error of a socket only. A TLS socket can have two, when the server refuses the certificate after
 * the handshake, or when the socket is closed during it; the second one would end the process.
 */
function ignoringErrors<Stream extends Socket>(stream: Stream): Stream {
  return stream.on('error', () => undefined);
}
