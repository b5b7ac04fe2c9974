import { z } from 'zod';

/**
 * A session is one WhatsApp account. Its name is part of keys, job ids, queue and directory names: 1-64 characters
 * of a-z, 0-9 and -.
 */

/** The session of a path without a session name. */
export const defaultSession = 'default';

export const sessionNamePattern = /^[a-z0-9-]{1,64}$/;

export function isSessionName(text: string): boolean {
  return sessionNamePattern.test(text);
}

/** What a client gives as the name of a session. */
export const sessionNameSchema = z
  .string()
  .regex(sessionNamePattern, { error: 'must be 1-64 characters of a-z, 0-9 and -' })
  .describe('the name of a session: 1-64 characters of a-z, 0-9 and `-`');

/** The path of a route of the session, from that of `default`: `/api/status` is `/api/sessions/a/status`, `/qr` is `/sessions/a/qr`. */
export function pathOfSession(session: string, path: string): string {
  if (session === defaultSession) return path;
  return path.startsWith('/api/')
    ? `/api/sessions/${session}${path.slice('/api'.length)}`
    : `/sessions/${session}${path}`;
}

/** The path of the page that links the phone of the session. */
export function qrPagePath(session: string): string {
  return pathOfSession(session, '/qr');
}

/** The session that the parameters of a path name. */
export function sessionOfPath({ session = defaultSession }: { readonly session?: string }): string {
  return session;
}

/** The queue whose jobs are the runs of sessions. */
export const sessionsQueue = 'sessions';
export const authStartJob = 'auth-start';

const jobIdPrefix = 's-';

/** `s-<session>`: without the prefix a session named `wait` would collide with BullMQ's own keys and break the queue. */
export function runJobId(session: string): string {
  return `${jobIdPrefix}${session}`;
}

/** Whether the id of a job on the queue of runs is valid. */
export function isRunJobId(jobId: string): boolean {
  return jobId.startsWith(jobIdPrefix) && isSessionName(sessionOfJobId(jobId));
}

export function sessionOfJobId(jobId: string): string {
  return jobId.slice(jobIdPrefix.length);
}

/**
 * URL of the page that a browser keeps ready for the next worker thread. The supervisor opens it in advance, so the thread
 * need not wait for a renderer. Not an `about:` URL: on its command line Chromium accepts only about:blank, and opens a New
 * Tab instead of any other.
 */
export const preparedPage = 'data:,session';

/** The queues of commands to one session. */
export function sendsQueue(session: string): string {
  return `sends-${session}`;
}

export function readsQueue(session: string): string {
  return `reads-${session}`;
}
