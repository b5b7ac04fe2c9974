import { HoldlineError } from '../../contract/errors.js';

/** A snapshot is not what was stored: truncated, changed, or another's. It is never used. */
export class DamagedSnapshotError extends HoldlineError {
  constructor(why: string, cause?: unknown) {
    super('snapshot_damaged', `the stored snapshot is damaged: ${why}`, { cause });
  }
}

/** The login is in the backup only, and no key here opens it. Nothing may be started blank in its place. */
export class UnreadableBackupError extends HoldlineError {
  constructor(keyId: string, hasKeys: boolean) {
    const what = hasKeys
      ? `which none of the keys in WHATSAPP_CREDENTIALS_KEY opens`
      : 'and this supervisor has no key';
    super(
      'credentials_unreadable',
      `the login is only in the encrypted backup, ${what}: start the supervisor with the key that made it (key id ${keyId}), or POST /api/logout to begin anew`,
      { retryable: true },
    );
  }
}

/** The session belongs to a newer run, or its login was wiped meanwhile: the snapshot is not wanted any more. */
export class SnapshotRefusedError extends HoldlineError {
  constructor(why: string) {
    super('snapshot_refused', `the snapshot was refused: ${why}`);
  }
}

/** The login is larger than a backup may be; the backup before stays. */
export class SnapshotTooLargeError extends HoldlineError {
  constructor(most: number) {
    super(
      'snapshot_too_large',
      `the login takes more than the ${most} bytes that a backup may have in Redis`,
    );
  }
}
