import { createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, OperatorError } from '../contract/errors.js';
import { writePrivateFile } from './files.js';

/** A key that encrypts the backup of credentials, and the logins of proxies. Printing it reveals nothing. */
export interface CredentialsKey {
  /** Derived from the key; identifies it without revealing it. */
  readonly id: string;
  readonly secret: KeyObject;
}

/** The command that makes a key, for messages to the operator. */
export const makeKeyHint = 'openssl rand -base64 32';

/** null: not base64 of 32 bytes. */
export function parseCredentialsKey(text: string): CredentialsKey | null {
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) return null;
  const bytes = Buffer.from(text, 'base64');
  const id = createHmac('sha256', bytes).update('holdline credentials key').digest('hex').slice(0, 16);
  return { id, secret: createSecretKey(bytes) };
}

/**
 * Loads the key from a data directory that this process has locked, or makes one if there is none. Throws an
 * {@link OperatorError} if the file is not a valid key: a new key could not decrypt the existing backup.
 */
export async function loadOrMakeCredentialsKey(dataDir: string): Promise<CredentialsKey> {
  const found = await loadCredentialsKey(dataDir);
  if (found !== null) return found;
  const file = credentialsKeyFile(dataDir);
  const text = randomBytes(32).toString('base64');
  await writePrivateFile(file, `${text}\n`).catch((cause) => {
    throw unusableKeyFile(file, cause);
  });
  return parseCredentialsKey(text) as CredentialsKey;
}

interface KeyConfig {
  readonly redisUrl: string | null;
  readonly dataDir: string;
  readonly credentialsKeys: readonly CredentialsKey[];
}

/** With the embedded Redis, a key is made if none is set. It is stored as safely as the profile beside it. */
export async function usedCredentialsKeys(config: KeyConfig): Promise<readonly CredentialsKey[]> {
  if (config.redisUrl !== null || config.credentialsKeys.length > 0) return config.credentialsKeys;
  return [await loadOrMakeCredentialsKey(config.dataDir)];
}

/** Loads the key from a data directory. null: there is none. Throws as {@link loadOrMakeCredentialsKey}. */
export async function loadCredentialsKey(dataDir: string): Promise<CredentialsKey | null> {
  const file = credentialsKeyFile(dataDir);
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return null;
    throw unusableKeyFile(file, cause);
  });
  if (text === null) return null;
  const key = parseCredentialsKey(text.trim());
  if (key !== null) return key;
  throw new OperatorError(
    `${file} does not hold base64 of 32 bytes: put the key back, or remove the file to have a new one made (a backup made with the old key can then not be read)`,
  );
}

function unusableKeyFile(file: string, cause: unknown): OperatorError {
  return new OperatorError(
    `the key of the credentials backup, ${file}, cannot be used: ${messageOf(cause)}`,
    {
      cause,
    },
  );
}

export function credentialsKeyFile(dataDir: string): string {
  return join(dataDir, 'credentials.key');
}
