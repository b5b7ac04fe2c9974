import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** This folder in the source tree. The compiler does not copy page scripts, HTML and the certificate. */
const FOLDER = join(repositoryRoot(dirname(fileURLToPath(import.meta.url))), 'test', 'whatsapp-web');

export function readAsset(path: string): Promise<string> {
  return readFile(join(FOLDER, path), 'utf8');
}

/** Imports a script of the page into this process, without a browser. */
export async function importAsset(path: string): Promise<Record<string, unknown>> {
  return (await import(pathToFileURL(join(FOLDER, path)).href)) as Record<string, unknown>;
}

function repositoryRoot(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error('no package.json above the stand-in');
  return repositoryRoot(parent);
}
