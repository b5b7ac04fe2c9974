import { HoldlineError } from '../contract/errors.js';
import { proxyHost } from '../contract/proxy.js';
import type { SessionRecord } from '../contract/session-record.js';
import type { CredentialsKey } from '../platform/credentials-keys.js';
import type { Logger } from '../platform/logger.js';
import { openProxyLogin } from '../platform/proxy-login.js';
import type { Redis } from '../platform/redis/connection.js';
import { retryUntilSuccess } from '../platform/retry.js';
import { findSessions, registerIfMissing } from '../platform/store/session-register.js';
import type { BrowserProxy } from './browser/browser.js';

interface ConfigurationOptions {
  readonly redis: Redis;
  readonly session: string;
  /** Those of WHATSAPP_CREDENTIALS_KEY. */
  readonly keys: readonly CredentialsKey[];
  readonly log: Logger;
}

/** What is configured of the session of a run. */
export class SessionConfiguration {
  readonly #options: ConfigurationOptions;
  #record: SessionRecord;

  private constructor(options: ConfigurationOptions, record: SessionRecord) {
    this.#options = options;
    this.#record = record;
  }

  /** null: there is no such session. Rejects only when `signal` aborts. */
  static async open(
    options: ConfigurationOptions,
    signal: AbortSignal,
  ): Promise<SessionConfiguration | null> {
    const record = await readRecord(options, signal);
    return record === null ? null : new SessionConfiguration(options, record);
  }

  /** As it was last read. */
  get record(): SessionRecord {
    return this.#record;
  }

  /** The proxy for a browser; null: none. Throws a {@link ProxyUnusableError}. */
  get proxy(): BrowserProxy | null {
    const { session, keys } = this.#options;
    const { proxy } = this.#record;
    if (proxy === null) return null;
    const { server, login: sealed } = proxy;
    if (server === '') throw new ProxyUnusableError('its entry in Redis cannot be read');
    if (sealed === null) return { server, login: null };
    const login = openProxyLogin(sealed, keys, { session, server });
    if (login !== null) return { server, login };
    const key = keys.some(({ id }) => id === sealed.key_id)
      ? 'is damaged'
      : `is encrypted with a key that is not in WHATSAPP_CREDENTIALS_KEY here (key id ${sealed.key_id})`;
    throw new ProxyUnusableError(`the password of ${proxyHost(server)} ${key}`);
  }

  /**
   * Before each incarnation, so that a change takes effect with the next one, and when it may have changed. Registers the session again
   * if Redis has lost the entry. Rejects only when `signal` aborts.
   */
  async read(signal: AbortSignal): Promise<void> {
    const record = await readRecord(this.#options, signal);
    // While the session runs, nobody deletes it.
    if (record === null && !signal.aborted) {
      const { redis, session } = this.#options;
      await registerIfMissing(redis, session, this.#record).catch(() => undefined);
    }
    this.#record = record ?? this.#record;
  }
}

/** null: there is no such session. Retries what Redis refuses. */
async function readRecord(
  { redis, session, log }: ConfigurationOptions,
  signal: AbortSignal,
): Promise<SessionRecord | null> {
  const sentence = 'Redis refused to tell how the session is configured; trying again';
  const options = { signal, log, sentence };
  const [record = null] = await retryUntilSuccess(() => findSessions(redis, [session]), options);
  return record;
}

/** The session must not run without its proxy, because WhatsApp would see another address. The code is the exit reason. */
class ProxyUnusableError extends HoldlineError {
  constructor(why: string) {
    super(
      'credentials_unreadable',
      `the proxy of the session cannot be used: ${why}; PUT the proxy again, or null for none`,
    );
  }
}
