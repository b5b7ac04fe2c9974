import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { SnapshotHeader } from '../../contract/credentials.js';
import type { CredentialsKey } from '../../platform/credentials-keys.js';
import { DamagedSnapshotError } from './errors.js';

/**
 * A snapshot is sealed in pieces: each by itself with AES-256-GCM under a random IV, so that nothing is decompressed
 * or unpacked before it is known to be ours. The associated data are the snapshot's header, the piece's number and
 * whether it is the last: a piece that was changed, left out, moved, cut off or taken from elsewhere does not open.
 */

const ivBytes = 12;
const tagBytes = 16;

/**
 * Plain bytes in a piece: what stands before the run's lease renewal on the same connection. With what is around it just below
 * 256 KiB: above that Redis' allocator gives it a quarter more.
 */
const pieceBytes = 256 * 1024 - 512;

export interface PiecePlace {
  readonly header: SnapshotHeader;
  readonly index: number;
  readonly isLast: boolean;
}

/** Gives IV, ciphertext and tag. */
export function sealPiece(plain: Buffer, key: CredentialsKey, place: PiecePlace): Buffer {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', key.secret, iv, { authTagLength: tagBytes });
  cipher.setAAD(associatedData(place));
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Throws {@link DamagedSnapshotError}. */
export function openPiece(sealed: Buffer, key: CredentialsKey, place: PiecePlace): Buffer {
  if (sealed.length < ivBytes + tagBytes) throw new DamagedSnapshotError(`piece ${place.index} is too short`);
  const cipher = createDecipheriv('aes-256-gcm', key.secret, sealed.subarray(0, ivBytes), {
    authTagLength: tagBytes,
  });
  cipher.setAAD(associatedData(place));
  cipher.setAuthTag(sealed.subarray(-tagBytes));
  try {
    return Buffer.concat([cipher.update(sealed.subarray(ivBytes, -tagBytes)), cipher.final()]);
  } catch (cause) {
    throw new DamagedSnapshotError(`piece ${place.index} is not what was sealed`, cause);
  }
}

/** Cuts a stream into pieces of one size; the last is shorter, and marked. */
export async function* cutIntoPieces(
  source: AsyncIterable<Buffer>,
  size = pieceBytes,
): AsyncGenerator<{ plain: Buffer; isLast: boolean }> {
  let pending = Buffer.alloc(0);
  for await (const part of source) {
    pending = Buffer.concat([pending, part]);
    while (pending.length > size) {
      yield { plain: pending.subarray(0, size), isLast: false };
      pending = pending.subarray(size);
    }
  }
  yield { plain: pending, isLast: true };
}

function associatedData({ header, index, isLast }: PiecePlace): Buffer {
  const { version, session, id, epoch, wipedEpoch, keyId, takenAt } = header;
  const words = [version, session, id, epoch, wipedEpoch, keyId, takenAt, index, isLast];
  return Buffer.from(JSON.stringify(words));
}
