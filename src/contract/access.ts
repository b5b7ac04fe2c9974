/** What a key may be used for. Each scope includes those before it. */
export const scopes = ['read', 'send', 'admin'] as const;

export type Scope = (typeof scopes)[number];

export function isScope(text: string): text is Scope {
  return (scopes as readonly string[]).includes(text);
}

export function covers(granted: Scope, needed: Scope): boolean {
  return scopes.indexOf(granted) >= scopes.indexOf(needed);
}

/** What is known of an API key: its hash, never the key itself. */
export interface ApiKey {
  /** `[a-z0-9-]{1,64}`; it appears in logs. */
  readonly name: string;
  readonly scope: Scope;
  /** sha256 of the key, 64 hex digits. */
  readonly sha256: string;
  /** The only sessions that the key may learn of and use: at least one. null: all. */
  readonly sessions: readonly string[] | null;
}

/** Every key begins with this: scanners for leaked secrets recognize it. */
export const apiKeyPrefix = 'holdline_';

/** Every key that this product made. A configured one may be any text. */
export const apiKeyPattern = new RegExp(`^${apiKeyPrefix}[\\w-]{43}$`);

export const keyNamePattern = /^[a-z0-9-]{1,64}$/;
