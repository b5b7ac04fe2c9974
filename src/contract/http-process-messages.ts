/**
 * Makes the HTTP process serve. The process was started earlier, to load its modules. It ends when the connection to its parent
 * closes.
 */
export interface ToHttp {
  readonly type: 'serve';
  readonly redisUrl: string;
  /** The port of the previous process, to keep it after a restart; null: as configured. */
  readonly port: number | null;
}

/** What the HTTP process reports to its parent. */
export type FromHttp =
  | { readonly type: 'alive' }
  | { readonly type: 'listening'; readonly port: number; readonly url: string }
  /** It cannot start; `message` is for the operator. */
  | { readonly type: 'refused'; readonly message: string };
