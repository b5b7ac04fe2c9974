/** Tells the process that serves HTTP to begin. It was started earlier, to load its modules, and ends with the connection. */
export interface ToHttp {
  readonly type: 'serve';
  readonly redisUrl: string;
  /** The port of the previous process, to keep it after a restart; null: as configured. */
  readonly port: number | null;
}

/** What the process that serves HTTP reports to the one that started it. */
export type FromHttp =
  | { readonly type: 'alive' }
  | { readonly type: 'listening'; readonly port: number; readonly url: string }
  /** It cannot start; `message` is for the operator. */
  | { readonly type: 'refused'; readonly message: string };
