import type { Scope } from '../../src/contract/access.js';
import { newApiKey } from '../../src/platform/api-key.js';
import { type Replica, type ReplicaOptions, startReplica } from './http-replica.js';

export interface ScopeKeys {
  readonly key: Readonly<Record<Scope, string>>;
  readonly environment: Record<string, string>;
}

/** One key of each scope. Its name is the scope. */
export function makeKeys(): ScopeKeys {
  const made = {
    read: newApiKey('read', 'read'),
    send: newApiKey('send', 'send'),
    admin: newApiKey('admin', 'admin'),
  };
  const entries = Object.values(made).map(({ entry }) => entry);
  return {
    key: { read: made.read.key, send: made.send.key, admin: made.admin.key },
    environment: { WHATSAPP_API_KEYS: entries.join(',') },
  };
}

/** A replica with API keys, and requests as browsers make them. */
export interface KeyedReplica extends Replica {
  readonly keys: ScopeKeys;
  /** Sends a request with this key. */
  ask(key: string, path: string, init?: RequestInit): Promise<Response>;
  readonly asAdmin: Pick<Replica, 'post'>;
  /** Sends `POST /login` as a browser does. */
  logIn(key: string, headers?: Record<string, string>): Promise<Response>;
  /** Logs in; resolves to the cookie that the browser then sends. */
  cookieOf(key: string): Promise<string>;
  /** Makes a QR link; resolves to its path. */
  qrLink(body?: Record<string, unknown>): Promise<string>;
  /** Opens a fresh QR link; resolves to the guest's cookie. */
  guestCookie(): Promise<string>;
}

export async function startKeyedReplica(
  redisUrl: string,
  keys: ScopeKeys,
  options: ReplicaOptions = {},
): Promise<KeyedReplica> {
  const environment = { ...keys.environment, ...options.environment };
  const replica = await startReplica(redisUrl, { ...options, environment });
  const ask = (key: string, path: string, init: RequestInit = {}) =>
    replica.get(path, { ...init, headers: { authorization: `Bearer ${key}`, ...init.headers } });
  const logIn = (key: string, headers: Record<string, string> = {}) =>
    replica.post('/login', {
      redirect: 'manual',
      headers: { accept: 'text/html', origin: replica.url, ...headers },
      body: new URLSearchParams({ key }),
    });
  async function qrLink(body: Record<string, unknown> = {}): Promise<string> {
    const response = await ask(keys.key.admin, '/api/qr-links', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return new URL(((await response.json()) as { url: string }).url).pathname;
  }
  return {
    ...replica,
    ...{ keys, ask, logIn, qrLink },
    asAdmin: { post: (path, init) => ask(keys.key.admin, path, { method: 'POST', ...init }) },
    cookieOf: async (key) => cookieIn(await logIn(key)),
    guestCookie: async () => cookieIn(await replica.post(await qrLink(), { redirect: 'manual' })),
  };
}

export function cookieIn(response: Response): string {
  return response.headers.getSetCookie()[0]?.split(';', 1)[0] ?? '';
}
