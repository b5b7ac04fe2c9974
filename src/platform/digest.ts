import { createHash } from 'node:crypto';

/** 64 hex digits. */
export function sha256Hex(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
