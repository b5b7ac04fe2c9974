/** To the process that serves HTTP, whose modules are loaded by then: do it. It stops with the connection. */
export interface ToHttp {
  readonly type: 'serve';
  readonly redisUrl: string;
  /** The one that it had before; null: as configured. */
  readonly port: number | null;
}

/** What the process that serves HTTP tells the one that started it. */
export type FromHttp =
  | { readonly type: 'alive' }
  | { readonly type: 'listening'; readonly port: number; readonly url: string }
  /** It cannot start: a sentence for the operator. */
  | { readonly type: 'refused'; readonly message: string };
