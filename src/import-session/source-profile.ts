import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { messageOf, OperatorError } from '../contract/errors.js';
import { readCommandLine } from '../platform/proc.js';
import { readProfileLock } from '../supervisor/browser/profile-lock.js';

/**
 * Finds the profile to import: `dir` is a profile itself, or a LocalAuth data path that contains `session` or
 * `session-<id>`. Throws an {@link OperatorError} that says what `dir` contains instead.
 */
export async function findProfile(dir: string, sessionId: string | null): Promise<string> {
  const at = resolve(dir);
  const names = await namesIn(at);
  if (sessionId === null && names.includes('Default')) return at;
  const sessions = names.filter((name) => /^session(-[-\w]+)?$/.test(name));
  if (sessionId !== null) {
    if (sessions.includes(`session-${sessionId}`)) return join(at, `session-${sessionId}`);
    throw new OperatorError(`${at} has no session-${sessionId}; ${whatIsThere(sessions)}`);
  }
  const [only, ...more] = sessions;
  if (only === undefined) {
    throw new OperatorError(
      `${at} is no .wwebjs_auth directory and no profile: it has neither session, session-<id> nor Default in it`,
    );
  }
  if (more.length > 0) {
    throw new OperatorError(
      `${at} has several sessions; name one with --session-id, or by its path: ${sessions.join(', ')}`,
    );
  }
  return join(at, only);
}

/**
 * Throws an {@link OperatorError} if a browser may still write to the profile. A process on another host cannot be checked. Then
 * `assumeUnused` decides.
 */
export async function refuseIfInUse(profileDir: string, assumeUnused: boolean): Promise<void> {
  const holder = await readProfileLock(profileDir);
  if (holder === null) return;
  const { host, pid, isHere } = holder;
  if (isHere) {
    if (!(await isBrowser(pid))) return;
    throw new OperatorError(
      `${profileDir} is in use by the browser with pid ${pid}: stop the program that runs it, then import again`,
    );
  }
  if (assumeUnused) return;
  throw new OperatorError(
    `${profileDir} was locked by a browser on another host or in a container (${host}, pid ${pid}): ` +
      'if that has ended, import again with --not-in-use',
  );
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    const entries = await readdir(dir, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    throw new OperatorError(`${dir} cannot be read (${messageOf(error)})`, { cause: error });
  }
}

function whatIsThere(sessions: readonly string[]): string {
  return sessions.length === 0 ? 'it has no session at all' : `it has ${sessions.join(', ')}`;
}

/** False if the process is not a browser: the pid has been reused. */
async function isBrowser(pid: number): Promise<boolean> {
  const commandLine = await readCommandLine(pid);
  if (commandLine !== null) return commandLine.some((argument) => argument.includes('--user-data-dir='));
  try {
    // Without /proc, every process with this pid counts as a browser.
    process.kill(pid, 0);
    return process.platform !== 'linux';
  } catch {
    return false;
  }
}
