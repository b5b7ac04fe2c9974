import { ApiError } from '../../contract/errors.js';
import type { LogoutResult } from '../../contract/intent.js';
import { defaultSession } from '../../contract/names.js';
import { invalidRequest } from '../core/validation.js';
import type { Session, Sessions } from '../sessions.js';
import { logOut } from './end-session.js';

/** A start that comes in between begins a new run, which has to end too. */
const mostRuns = 5;

/**
 * Logs the session out, as {@link logOut} does, and removes it. If the caller leaves, it goes on. Throws `timeout` if the run has
 * not ended; the session then still exists.
 */
export async function deleteSession(session: Session, sessions: Sessions): Promise<LogoutResult> {
  let result: LogoutResult | null = null;
  for (let i = 0; i < mostRuns; i++) {
    const ended = await logOut(session.commands.run);
    // A further run was never linked.
    result ??= ended;
    if (await sessions.register.remove(session.name)) {
      sessions.forget(session.name);
      session.commands.run.log.info({ session: session.name }, 'session deleted');
      return result;
    }
  }
  throw new ApiError('timeout', 'the session is started again and again; it was logged out, but not deleted');
}

export function onlyLoggedOut(): ApiError {
  const message = `must not be ${defaultSession}: that session can only be logged out, by POST /api/logout`;
  return invalidRequest([{ path: 'session', message }]);
}
