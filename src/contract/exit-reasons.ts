/** What the supervisor does after an incarnation has ended for a reason. */
interface ExitPolicy {
  /**
   * It counts towards the restart intensity, which ends the run. An outage of the network or of WhatsApp never
   * counts, however long it lasts (docs/decisions/0003).
   */
  readonly counted: boolean;
  /**
   * When the next attempt starts. `first-at-once`: at once the first time, then with backoff. `backoff`: with backoff; the first
   * delay may be 0, if a part of ours broke after it had worked. `incompatible`: with backoff the first time, then
   * `incompatibleRetryMs` each time.
   */
  readonly delay: 'backoff' | 'first-at-once' | 'incompatible';
  /** The cheapest restart that can help: a new thread on the same browser, or a new browser. */
  readonly restartLevel: 'thread' | 'browser';
  /** The login is void: delete the profile before the next incarnation. */
  readonly wipesProfile?: true;
  /** The login may be lost in the profile: restore it from its backup before the next incarnation. */
  readonly doubtsProfile?: true;
  /** A person must act: the run ends in `auth_failure`. */
  readonly endsRun?: true;
}

export const exitReasons = {
  thread_threw: { counted: true, delay: 'backoff', restartLevel: 'thread' },
  thread_exited: { counted: true, delay: 'backoff', restartLevel: 'thread' },
  thread_out_of_memory: { counted: true, delay: 'backoff', restartLevel: 'thread' },
  thread_hung: { counted: true, delay: 'backoff', restartLevel: 'thread' },
  page_crashed: { counted: true, delay: 'backoff', restartLevel: 'thread' },
  page_hung: { counted: true, delay: 'backoff', restartLevel: 'browser' },
  /** The page works, but one send does not finish. Not counted: callers who may send must not be able to end the run. */
  send_hung: { counted: false, delay: 'first-at-once', restartLevel: 'thread' },
  start_failed: { counted: true, delay: 'backoff', restartLevel: 'thread' },
  start_timed_out: { counted: true, delay: 'backoff', restartLevel: 'browser' },
  sync_timed_out: { counted: true, delay: 'backoff', restartLevel: 'browser' },
  browser_died: { counted: true, delay: 'backoff', restartLevel: 'browser' },
  /** The profile was linked, but WhatsApp shows a login without having logged it out. */
  login_missing: { counted: false, delay: 'first-at-once', restartLevel: 'browser', doubtsProfile: true },
  /** Disk or Redis failed while the login was being restored. */
  restore_failed: { counted: false, delay: 'backoff', restartLevel: 'browser' },
  /** No configured key decrypts the only copy of the login, or the password of the proxy. */
  credentials_unreadable: { counted: false, delay: 'backoff', restartLevel: 'browser' },
  profile_unusable: { counted: false, delay: 'backoff', restartLevel: 'browser' },
  browser_failed_to_start: { counted: true, delay: 'backoff', restartLevel: 'browser' },
  whatsapp_unreachable: { counted: false, delay: 'backoff', restartLevel: 'thread' },
  whatsapp_disconnected: { counted: false, delay: 'backoff', restartLevel: 'thread' },
  incompatible_page: { counted: false, delay: 'incompatible', restartLevel: 'browser' },
  /** The pinned version of the page is not available, or another one was loaded. */
  web_version_missing: { counted: false, delay: 'backoff', restartLevel: 'thread' },
  logged_out: { counted: false, delay: 'first-at-once', restartLevel: 'browser', wipesProfile: true },
  auth_failure: { counted: false, delay: 'first-at-once', restartLevel: 'browser', endsRun: true },
} as const satisfies Record<string, ExitPolicy>;

export type ExitReason = keyof typeof exitReasons;

export function isExitReason(code: string): code is ExitReason {
  return Object.hasOwn(exitReasons, code);
}

export function exitPolicy(reason: ExitReason): ExitPolicy {
  return exitReasons[reason];
}

/** The end of one incarnation. `message` becomes `last_error`. */
export interface IncarnationExit {
  readonly reason: ExitReason;
  readonly message: string;
}
