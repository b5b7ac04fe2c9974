import type { SnapshotHeader } from '../../contract/credentials.js';
import type { CredentialsKey } from '../../platform/credentials-keys.js';
import { decrypt, encrypt } from '../../platform/encryption.js';
import { DamagedSnapshotError } from './errors.js';

/**
 * A snapshot is encrypted in pieces, each by itself with AES-256-GCM under a random IV. So nothing is decompressed or unpacked
 * before it is authenticated. The associated data are the snapshot's header, the number of the piece, and whether it is the
 * last one. So a piece that was changed, left out, moved, cut off or taken from another snapshot is not decrypted.
 */

/**
 * Plain bytes in a piece. Small, because the lease renewal of the run waits for it on the same connection. With IV, tag
 * and Redis' overhead it stays just below 256 KiB: above that, Redis' allocator takes a quarter more.
 */
export const pieceBytes = 256 * 1024 - 512;

/** What a piece is bound to: its associated data. */
export interface PieceIdentity {
  readonly header: SnapshotHeader;
  readonly index: number;
  readonly isLast: boolean;
}

export function encryptPiece(plain: Buffer, key: CredentialsKey, identity: PieceIdentity): Buffer {
  return encrypt(plain, key, associatedData(identity));
}

/** Throws {@link DamagedSnapshotError} if it is not this piece, encrypted with this key. */
export function decryptPiece(encrypted: Buffer, key: CredentialsKey, identity: PieceIdentity): Buffer {
  try {
    return decrypt(encrypted, key, associatedData(identity));
  } catch (cause) {
    throw new DamagedSnapshotError(`piece ${identity.index} fails its authentication`, cause);
  }
}

/** Cuts a stream into pieces of `pieceBytes`. The last one is marked and may be shorter, or empty. */
export async function* cutIntoPieces(
  source: AsyncIterable<Buffer>,
): AsyncGenerator<{ plain: Buffer; isLast: boolean }> {
  let pending = Buffer.alloc(0);
  for await (const part of source) {
    pending = Buffer.concat([pending, part]);
    while (pending.length > pieceBytes) {
      yield { plain: pending.subarray(0, pieceBytes), isLast: false };
      pending = pending.subarray(pieceBytes);
    }
  }
  yield { plain: pending, isLast: true };
}

function associatedData({ header, index, isLast }: PieceIdentity): Buffer {
  const { version, session, id, epoch, wipedEpoch, keyId, takenAt } = header;
  const fields = [version, session, id, epoch, wipedEpoch, keyId, takenAt, index, isLast];
  return Buffer.from(JSON.stringify(fields));
}
