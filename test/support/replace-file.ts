import { randomUUID } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';

/**
 * Replaces a file atomically: a thread or process that reads it sees the old text or the new one. If several write at the
 * same time, one of their texts stays.
 */
export function replaceFile(file: string, text: string): void {
  const draft = `${file}.${randomUUID()}.new`;
  writeFileSync(draft, text);
  renameSync(draft, file);
}
