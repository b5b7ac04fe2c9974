/**
 * Why an incarnation ended, and what the supervisor makes of it. `counted` reasons count towards the restart
 * intensity, which ends the run; an outage of the network or of WhatsApp never does, however long
 * (docs/decisions/0003). `rung` is the cheapest restart that can help.
 */
interface ExitPolicy {
  readonly counted: boolean;
  readonly delay: 'backoff' | 'none' | 'incompatible';
  readonly rung: 'thread' | 'browser';
  /** The login is void: renew the profile before the next incarnation. */
  readonly wipesProfile?: true;
  /** The login may be lost here, but not in its backup: restore it before the next incarnation. */
  readonly doubtsProfile?: true;
  /** A person is needed: the run ends in `auth_failure`. */
  readonly endsRun?: true;
}

export const exitReasons = {
  thread_threw: { counted: true, delay: 'backoff', rung: 'thread' },
  thread_exited: { counted: true, delay: 'backoff', rung: 'thread' },
  thread_out_of_memory: { counted: true, delay: 'backoff', rung: 'thread' },
  thread_hung: { counted: true, delay: 'backoff', rung: 'thread' },
  page_crashed: { counted: true, delay: 'backoff', rung: 'thread' },
  page_hung: { counted: true, delay: 'backoff', rung: 'browser' },
  /** The page is well but for a send that it does not end: whoever may send must not be able to end the run. */
  send_hung: { counted: false, delay: 'none', rung: 'thread' },
  start_failed: { counted: true, delay: 'backoff', rung: 'thread' },
  start_timed_out: { counted: true, delay: 'backoff', rung: 'browser' },
  sync_timed_out: { counted: true, delay: 'backoff', rung: 'browser' },
  browser_died: { counted: true, delay: 'backoff', rung: 'browser' },
  /** The profile was linked, and WhatsApp asks it for a login without having ended one. */
  login_missing: { counted: false, delay: 'none', rung: 'browser', doubtsProfile: true },
  /** Disk or Redis kept the login from being restored. */
  restore_failed: { counted: false, delay: 'backoff', rung: 'browser' },
  /** The only login is in a backup that no key here opens. */
  credentials_unreadable: { counted: false, delay: 'backoff', rung: 'browser' },
  profile_unusable: { counted: false, delay: 'backoff', rung: 'browser' },
  browser_failed_to_start: { counted: true, delay: 'backoff', rung: 'browser' },
  whatsapp_unreachable: { counted: false, delay: 'backoff', rung: 'thread' },
  whatsapp_disconnected: { counted: false, delay: 'backoff', rung: 'thread' },
  incompatible_page: { counted: false, delay: 'incompatible', rung: 'browser' },
  /** The pinned version of the page is not at hand, or another one came. */
  web_version_missing: { counted: false, delay: 'backoff', rung: 'thread' },
  logged_out: { counted: false, delay: 'none', rung: 'browser', wipesProfile: true },
  auth_failure: { counted: false, delay: 'none', rung: 'browser', endsRun: true },
} as const satisfies Record<string, ExitPolicy>;

export type ExitReason = keyof typeof exitReasons;

export function isExitReason(code: string): code is ExitReason {
  return Object.hasOwn(exitReasons, code);
}

export function exitPolicy(reason: ExitReason): ExitPolicy {
  return exitReasons[reason];
}

/** The end of one incarnation; `message` is the sentence that becomes `last_error`. */
export interface IncarnationExit {
  readonly reason: ExitReason;
  readonly message: string;
}
