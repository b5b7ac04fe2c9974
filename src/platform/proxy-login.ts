import { z } from 'zod';
import { parseAs } from '../contract/json.js';
import type { ProxyLogin, SealedLogin } from '../contract/proxy.js';
import type { CredentialsKey } from './credentials-keys.js';
import { decrypt, encrypt } from './encryption.js';

const loginSchema = z.object({ username: z.string(), password: z.string() });

/** What a login is bound to: whoever can write to Redis cannot have it sent to another server. */
interface ProxyOfSession {
  readonly session: string;
  readonly server: string;
}

/** Encrypts the login of a proxy for Redis. */
export function sealProxyLogin(login: ProxyLogin, key: CredentialsKey, proxy: ProxyOfSession): SealedLogin {
  const encrypted = encrypt(Buffer.from(JSON.stringify(login)), key, identityOf(proxy));
  return { key_id: key.id, data: encrypted.toString('base64') };
}

/** null: none of the keys decrypts it, or it was changed. */
export function openProxyLogin(
  { key_id, data }: SealedLogin,
  keys: readonly CredentialsKey[],
  proxy: ProxyOfSession,
): ProxyLogin | null {
  const key = keys.find(({ id }) => id === key_id);
  if (key === undefined) return null;
  try {
    return parseAs(loginSchema, decrypt(Buffer.from(data, 'base64'), key, identityOf(proxy)).toString());
  } catch {
    return null;
  }
}

function identityOf({ session, server }: ProxyOfSession): Buffer {
  return Buffer.from(JSON.stringify(['proxy login', session, server]));
}
