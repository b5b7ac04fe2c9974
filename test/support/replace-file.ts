import { randomUUID } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';

/**
 * Writes a file that another thread or process may be reading this instant: it sees the old text or the new one. Several may
 * write it at once: one of their texts stays.
 */
export function replaceFile(file: string, text: string): void {
  const draft = `${file}.${randomUUID()}.new`;
  writeFileSync(draft, text);
  renameSync(draft, file);
}
