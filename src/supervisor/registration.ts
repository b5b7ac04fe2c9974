import { productVersion } from '../contract/product.js';
import type { Config } from '../platform/config/config.js';
import type { Redis } from '../platform/redis/connection.js';
import { registerSupervisor, unregisterSupervisor } from '../platform/store/supervisor-registry.js';

interface RegistrationOptions {
  readonly redis: Redis;
  readonly supervisorId: string;
  readonly config: Pick<Config, 'hostName' | 'maxSessions' | 'timing'>;
  /** How many sessions it runs now. */
  readonly sessions: () => number;
  /** How many it can start at once. */
  readonly starts: () => number;
  /** Called with every regular registration. */
  readonly onBeat: () => void;
}

/** Keeps a supervisor in the list of those that are alive, from construction on. */
export class Registration {
  readonly #options: RegistrationOptions;
  readonly #since = new Date().toISOString();
  readonly #timer: NodeJS.Timeout;
  #isEnded = false;

  constructor(options: RegistrationOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      void this.renew();
      options.onBeat();
    }, options.config.timing.heartbeatIntervalMs);
  }

  /** Registers now. Never rejects: the next registration follows soon, and until then `/readyz` tells of a refusal. */
  async renew(): Promise<void> {
    const { redis, supervisorId, config, sessions, starts } = this.#options;
    // While Redis is away, registrations would queue up.
    if (this.#isEnded || !['connecting', 'connect', 'ready'].includes(redis.status)) return;
    const facts = {
      ...{ host: config.hostName, version: productVersion, since: this.#since },
      ...{ sessions: sessions(), capacity: config.maxSessions, starts: starts() },
    };
    const { heartbeatTtlMs } = config.timing;
    await registerSupervisor(redis, supervisorId, facts, heartbeatTtlMs).catch(() => {});
  }

  /** No registration follows. */
  stop(): void {
    this.#isEnded = true;
    clearInterval(this.#timer);
  }

  /** Removes the entry. If Redis does not answer, it expires by itself. */
  async remove(): Promise<void> {
    this.stop();
    await unregisterSupervisor(this.#options.redis, this.#options.supervisorId);
  }
}
