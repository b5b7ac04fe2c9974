import type { OnBound } from '../contract/bounds.js';
import type { PairingCode } from '../contract/pairing-code.js';
import type { OpenPasskey } from '../contract/passkey.js';
import { composeStatus, type Fence, type RunFacts, type StateChange } from '../contract/status.js';
import { pause } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import type { StoreConnection } from '../platform/redis/store-connection.js';
import { writeRetryMs } from '../platform/retry.js';
import { publishStatus, type StoredQr } from '../platform/store/state-store.js';

/** What is stored beside the state: it is secret. */
interface StoredCodes {
  readonly qr: StoredQr | null;
  readonly pairingCode: PairingCode | null;
  readonly passkey: OpenPasskey | null;
}

interface StateWrite {
  readonly change: StateChange;
  readonly codes: StoredCodes;
}

/**
 * Writes the newest state to Redis, under the fence. While Redis is unreachable, only the newest state waits. A refused write
 * means that Redis has another fence: nothing is written until {@link refence}.
 */
export class StateWriter {
  readonly #redis: StoreConnection;
  readonly #log: Logger;
  readonly #onFenced: (fence: Fence) => void;
  readonly #onBound: OnBound;
  #run: RunFacts;
  #last: StateWrite | null = null;
  #pending: StateWrite | null = null;
  #writing: Promise<void> | null = null;
  readonly #stopping = new AbortController();

  constructor(
    redis: StoreConnection,
    run: RunFacts,
    log: Logger,
    onFenced: (fence: Fence) => void,
    onBound: OnBound,
  ) {
    this.#redis = redis;
    this.#run = run;
    this.#log = log;
    this.#onFenced = onFenced;
    this.#onBound = onBound;
  }

  /** The run that writes. Its epoch and incarnation are the fence. */
  get run(): RunFacts {
    return this.#run;
  }

  write(change: StateChange, codes: StoredCodes): void {
    this.#last = { change, codes };
    this.#pending = this.#last;
    this.#writing ??= this.#drain();
  }

  /** Writes the full state again under a new fence. */
  refence(fence: Fence): void {
    this.#run = { ...this.#run, ...fence };
    if (this.#last) this.write(this.#last.change, this.#last.codes);
  }

  /** Writes nothing more. Resolves when no write is in flight; does not wait for Redis to come back. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#pending = null;
    await this.#writing;
  }

  async #drain(): Promise<void> {
    const stopping = this.#stopping.signal;
    let hasWarned = false;
    while (this.#pending !== null && !stopping.aborted) {
      const { change, codes } = this.#pending;
      const written = this.#pending;
      const { epoch, incarnation } = this.#run;
      const status = composeStatus(this.#run, change, new Date().toISOString());
      try {
        const isOurs = await publishStatus(this.#redis, {
          session: this.#run.session,
          expected: { epoch, incarnation },
          status,
          ...codes,
          onBound: this.#onBound,
        });
        if (this.#pending === written) this.#pending = null;
        if (!isOurs && epoch === this.#run.epoch) {
          this.#pending = null;
          this.#onFenced({ epoch, incarnation });
        }
      } catch (error) {
        this.#log[hasWarned ? 'debug' : 'warn'](
          { err: error },
          'could not write the state to Redis; retrying',
        );
        hasWarned = true;
        await pause(writeRetryMs, stopping);
      }
    }
    // In the same turn as the last check of `#pending`: a later `write` starts a new loop.
    this.#writing = null;
  }
}
