import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, OperatorError } from '../contract/errors.js';
import { type CredentialsKey, parseCredentialsKey } from './credentials-keys.js';
import { writePrivateFile } from './private-file.js';

/**
 * The key in a data directory that this process has locked; made at the first start. Throws an
 * {@link OperatorError} where the file holds something else: a new key in its place could not open the backup.
 */
export async function loadOrMakeCredentialsKey(dataDir: string): Promise<CredentialsKey> {
  const file = credentialsKeyFile(dataDir);
  try {
    const found = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    const text = found ?? `${randomBytes(32).toString('base64')}\n`;
    if (found === null) await writePrivateFile(file, text);
    const key = parseCredentialsKey(text.trim());
    if (key !== null) return key;
  } catch (cause) {
    throw new OperatorError(
      `the key of the credentials backup, ${file}, cannot be used: ${messageOf(cause)}`,
      {
        cause,
      },
    );
  }
  throw new OperatorError(
    `${file} does not hold base64 of 32 bytes: put the key back, or remove the file to have a new one made (a backup made with the old key can then not be read)`,
  );
}

export function credentialsKeyFile(dataDir: string): string {
  return join(dataDir, 'credentials.key');
}
