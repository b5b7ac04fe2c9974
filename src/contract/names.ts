/**
 * A session is one WhatsApp account. Its name is part of keys, job ids, queue and directory names: 1-64 characters
 * of a-z, 0-9 and -.
 */

/** The session of a path without a session name. */
export const defaultSession = 'default';

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
  return /^s-[a-z0-9-]{1,64}$/.test(jobId);
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
