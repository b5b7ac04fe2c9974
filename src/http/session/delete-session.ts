import { ApiError } from '../../contract/errors.js';
import { type LogoutResult, logoutResults } from '../../contract/intent.js';
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
  const { register } = sessions;
  const { name, commands } = session;
  const madeAt = await register.madeAt(name);
  let result: LogoutResult = logoutResults.nothingLinked;
  for (let i = 0; i < mostRuns; i++) {
    // Another caller has deleted it meanwhile. There may be a new session of that name.
    if (madeAt === undefined || (await register.madeAt(name)) !== madeAt) return result;
    const ended = await logOut(commands.run);
    // A further run was never linked.
    if (i === 0) result = ended;
    const removed = await register.remove(name, madeAt);
    if (removed === 'runs') continue;
    sessions.forget(name);
    if (removed === 'removed') commands.run.log.info({ session: name }, 'session deleted');
    return result;
  }
  throw new ApiError('timeout', 'the session is started again and again; it was logged out, but not deleted');
}

export function onlyLoggedOut(): ApiError {
  const message = `must not be ${defaultSession}: that session can only be logged out, by POST /api/logout`;
  return invalidRequest([{ path: 'session', message }]);
}
