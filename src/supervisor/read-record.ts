import type { SessionRecord } from '../contract/session-record.js';
import type { Logger } from '../platform/logger.js';
import type { Redis } from '../platform/redis/connection.js';
import { retryUntilSuccess } from '../platform/retry.js';
import { findSessions } from '../platform/store/session-register.js';

/** What is configured of a session; null: there is no such session. Retries what Redis refuses; rejects only when `signal` aborts. */
export async function readRecord(
  redis: Redis,
  session: string,
  { signal, log }: { readonly signal: AbortSignal; readonly log: Logger },
): Promise<SessionRecord | null> {
  const sentence = 'Redis refused to tell how the session is configured; trying again';
  const [record = null] = await retryUntilSuccess(() => findSessions(redis, [session]), {
    signal,
    log,
    sentence,
  });
  return record;
}
