import { randomUUID } from 'node:crypto';
import { OperatorError } from '../contract/errors.js';
import { sessionKeys } from '../contract/keys.js';
import type { Redis } from '../platform/redis/connection.js';
import { luaScript } from '../platform/redis/lua-script.js';
import { quarantineWrongTypes } from '../platform/redis/quarantine.js';
import { renewLock } from '../platform/store/run-store.js';

/** As the lock of a run, whose key it uses: so a second restore is refused, and so is one while the session runs. */
const lockMs = 15_000;
const renewIntervalMs = 3_000;

/**
 * Does `work` while no other restore may change the session. The signal of `work` aborts with `signal`, and if the lock is lost.
 * Throws an {@link OperatorError} if another restore, or a run, has the lock.
 */
export async function withRestoreLock<T>(
  redis: Redis,
  session: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { lock } = sessionKeys(session);
  const token = `restore:${randomUUID()}`;
  await quarantineWrongTypes(redis, [lock]);
  if ((await redis.set(lock, token, 'PX', lockMs, 'NX')) === null) throw new AnotherRestoreError();
  const lost = new AbortController();
  const renew = () =>
    renewLock(redis, session, token, lockMs).then(
      (isOurs) => isOurs || lost.abort(new AnotherRestoreError()),
      // Redis failed: `work` notices it too.
      () => undefined,
    );
  const timer = setInterval(() => void renew(), renewIntervalMs);
  try {
    return await work(AbortSignal.any([signal, lost.signal]));
  } finally {
    clearInterval(timer);
    await releaseScript(redis, [lock], [token]).catch(() => undefined);
  }
}

// KEYS lock
// ARGV token
// returns 1, or 0 if the lock holds another token
const releaseScript = luaScript<number>(
  'releaseRestoreLock',
  1,
  "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0",
);

/** Whether the lock's text is of a restore, and not of a run. */
export function isRestoreToken(text: string | null): boolean {
  return text?.startsWith('restore:') === true;
}

export class AnotherRestoreError extends OperatorError {
  constructor() {
    super(
      'another restore or a run has the session, or one was killed some seconds ago: wait until it has ended, or 15 s, then restore again',
    );
  }
}
