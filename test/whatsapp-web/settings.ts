/** What can be turned at run time: the delays between the steps of a page's life, and the faults. */

export interface Account {
  readonly wid: string;
  readonly lid: string;
  readonly pushname: string;
  readonly platform: string;
}

export const DEFAULT_ACCOUNT: Account = {
  wid: '15550001111@c.us',
  lid: '990001111@lid',
  pushname: 'Sam Example',
  platform: 'android',
};

/** Each step reads its delay when it begins, so a change takes effect from the next step on. */
export interface Timing {
  /** From the page's first message to UNPAIRED or CONNECTED. */
  openingMs: number;
  /** From UNPAIRED to the first ref; with 0 the ref is there before the state, as on the real page. */
  refDelayMs: number;
  firstRefMs: number;
  nextRefMs: number;
  refsPerBatch: number;
  /** From an accepted scan to the page learning of it. */
  pairingMs: number;
  /** From there to the restart of its stream with the new credentials. */
  restartMs: number;
  /** From CONNECTED to the first offline messages. */
  offlineMs: number;
  /** From there to hasSynced. */
  syncMs: number;
  /** How long the page's first step of a logout takes, before it tells the server; only of a detached logout. */
  sentinelMs: number;
  /** From there, or from an awaited logout's call, to the server having unlinked the device. */
  unpairMs: number;
  /** From the end of an awaited logout to the page's navigation. */
  logoutNavigationMs: number;
  /** How long a pairing code can be typed. */
  pairingCodeMs: number;
  /** From a message's arrival at the server to its ack 1. */
  serverAckMs: number;
  /** From there to ack 2; null: never by itself. */
  deliveredMs: number | null;
  /** From there to ack 3; null: never by itself. */
  readMs: number | null;
}

export const DEFAULT_TIMING: Timing = {
  openingMs: 100,
  refDelayMs: 0,
  firstRefMs: 60_000,
  nextRefMs: 20_000,
  refsPerBatch: 6,
  pairingMs: 50,
  restartMs: 50,
  offlineMs: 100,
  syncMs: 300,
  sentinelMs: 50,
  unpairMs: 50,
  logoutNavigationMs: 500,
  pairingCodeMs: 180_000,
  serverAckMs: 20,
  deliveredMs: 200,
  readMs: 1_000,
};

/**
 * The moments at which the page can be made to reload or hang. The last three are of a message being sent:
 * `before-send`, the page was called and has kept nothing yet; `pending`, the page keeps the message and the server
 * does not have it; `at-server`, the server has it and the page does not know.
 */
export type Step = 'first-ref' | 'paired' | 'connected' | 'synced' | 'before-send' | 'pending' | 'at-server';

export interface FaultSettings {
  /**
   * silent: connections are accepted and nothing is ever answered. error-500: every request fails.
   * scripts-stall: the document comes, its scripts never do. reset: connections are cut, open ones too.
   */
  server: 'up' | 'silent' | 'error-500' | 'scripts-stall' | 'reset';
  /** UNPAIRED, but no ref is ever issued. */
  noRef: boolean;
  /** The state does not leave OPENING for as long as this is set. */
  stayOpening: boolean;
  /** hasSynced is true at CONNECTED and no change of it is announced: whatsapp-web.js misses `ready`. */
  alreadySynced: boolean;
  /** CONNECTED, but hasSynced stays false for as long as this is set. */
  neverSynced: boolean;
  /** The page has no window.Debug. */
  withoutDebug: boolean;
  /** Modules that window.require does not know: an incompatible page. As `page.missing`, but cleared with the faults. */
  missingModules: string[];
  /** Reload once, when the next page reaches the step. */
  reloadAt: { step: Step; delayMs?: number } | null;
  /** Hang for ever in the page's main thread, once, likewise. */
  hangAt: { step: Step; delayMs?: number } | null;
  /** No pairing code is given out: the page's call rejects with this text, e.g. `rate-overlimit`. */
  codeRefused: string | null;
  /** The page's call for sending never settles: with nothing sent, or with the message sent as always. */
  sendStalls: false | 'unsent' | 'sent';
  /** The page's call for sending rejects; nothing was sent. */
  sendRejects: boolean;
  /** The message stays pending in the page, as with a lost network; it goes out at the page's next connection. */
  dropBeforeServer: boolean;
  /** The server takes messages and never acknowledges them; the page sends them again at its next connection. */
  ackStalls: boolean;
  /** The server refuses messages: ack -1, for good. */
  ackError: boolean;
  /** getChats() takes this long in the page; other calls do not wait for it. */
  slowChatsMs: number;
  /** The page's call to mark a chat as seen. */
  seen: 'throws' | 'hangs' | null;
  /** The page's call to react to a message. */
  reaction: 'throws' | 'hangs' | null;
  /** The page's call for the preview of a link; `previewMs` is how long it takes when it comes. */
  preview: 'throws' | 'hangs' | null;
  previewMs: number;
  /** Numbers that the page asks for in vain: it is never answered. */
  lookupHangs: string[];
  /** The page's question about a group; `groupMetadataMs` is how long an answer takes. */
  groupMetadata: 'refused' | 'hangs' | null;
  groupMetadataMs: number;
  /** Loading a chat's earlier messages throws. */
  loadEarlierThrows: boolean;
  /** The server answers the page's logout with this status; the device stays linked. */
  logoutRefused: number | null;
  /** The server never answers it; the device stays linked. */
  logoutSilent: boolean;
  /** Own fields of `Conn` as they never are, e.g. `{ pushname: 5, platform: null }`. */
  oddConn: Record<string, unknown>;
}

export const NO_FAULTS: FaultSettings = {
  server: 'up',
  noRef: false,
  stayOpening: false,
  alreadySynced: false,
  neverSynced: false,
  withoutDebug: false,
  missingModules: [],
  reloadAt: null,
  hangAt: null,
  codeRefused: null,
  sendStalls: false,
  sendRejects: false,
  dropBeforeServer: false,
  ackStalls: false,
  ackError: false,
  slowChatsMs: 0,
  seen: null,
  reaction: null,
  preview: null,
  previewMs: 0,
  lookupHangs: [],
  groupMetadata: null,
  groupMetadataMs: 0,
  loadEarlierThrows: false,
  logoutRefused: null,
  logoutSilent: false,
  oddConn: {},
};

/** Assigns only what exists: a typing error in a test must not pass for a fault that does nothing. */
export function change<T extends object>(settings: T, changes: Partial<T>): void {
  for (const name of Object.keys(changes)) {
    if (!Object.hasOwn(settings, name)) {
      throw new Error(`there is no setting "${name}"; known are ${Object.keys(settings).join(', ')}`);
    }
  }
  Object.assign(settings, changes);
}
