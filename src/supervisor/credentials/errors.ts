import { HoldlineError } from '../../contract/errors.js';

/** A stored snapshot was truncated or changed, or belongs to another session. It is never used. */
export class DamagedSnapshotError extends HoldlineError {
  constructor(why: string, cause?: unknown) {
    super('snapshot_damaged', `the stored snapshot is damaged: ${why}`, { cause });
  }
}

/** The login is only in the backup, and no key here decrypts it. The run must not start on an empty profile instead. */
export class UnreadableBackupError extends HoldlineError {
  constructor(keyId: string, hasKeys: boolean) {
    const obstacle = hasKeys
      ? 'which none of the keys in WHATSAPP_CREDENTIALS_KEY decrypts'
      : 'and this supervisor has no key';
    super(
      'credentials_unreadable',
      `the login is only in the encrypted backup, ${obstacle}: start the supervisor with the key that made it (key id ${keyId}), or POST /api/logout to begin anew`,
    );
  }
}

/** The snapshot may no longer be stored: the session belongs to a newer run, or its login was wiped. */
export class SnapshotRefusedError extends HoldlineError {
  constructor(why: string) {
    super('snapshot_refused', `the snapshot was refused: ${why}`);
  }
}

/** The login is larger than a backup may be. The previous backup stays. */
export class SnapshotTooLargeError extends HoldlineError {
  constructor(maxBytes: number) {
    super(
      'snapshot_too_large',
      `the login takes more than the ${maxBytes} bytes that a backup may have in Redis`,
    );
  }
}
