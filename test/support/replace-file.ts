import { renameSync, writeFileSync } from 'node:fs';

/** Writes a file that another thread or process may be reading this instant: it sees the old text or the new one. */
export function replaceFile(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}
