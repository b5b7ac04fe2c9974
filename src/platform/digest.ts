import { type BinaryLike, createHash } from 'node:crypto';

/** 32 bytes. */
export function sha256(content: BinaryLike): Buffer {
  return createHash('sha256').update(content).digest();
}

/** 64 hex digits. */
export function sha256Hex(content: BinaryLike): string {
  return sha256(content).toString('hex');
}
