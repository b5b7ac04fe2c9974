/** Settings that can change at run time: the delays between the steps of a page, and the faults. */

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

/** A step reads its delay when it begins, so a change takes effect from the next step on. */
export interface Timing {
  /** From the page's first message to UNPAIRED or CONNECTED. */
  openingMs: number;
  /** From UNPAIRED to the first ref. With 0 the ref comes before the state, as on the real page. */
  refDelayMs: number;
  firstRefMs: number;
  nextRefMs: number;
  refsPerBatch: number;
  /** From an accepted scan until the page learns of it. */
  pairingMs: number;
  /** From then until its stream restarts with the new credentials. */
  restartMs: number;
  /** From CONNECTED to the first offline messages. */
  offlineMs: number;
  /** From then to hasSynced. */
  syncMs: number;
  /** Duration of the first step of a detached logout, before the page tells the server. */
  sentinelMs: number;
  /** From then, or from the call of an awaited logout, until the server has unlinked the device. */
  unpairMs: number;
  /** From the end of an awaited logout to the page's navigation. */
  logoutNavigationMs: number;
  /** How long a pairing code is valid. */
  pairingCodeMs: number;
  /** The timeout in the options for a passkey. */
  passkeyTimeoutMs: number;
  /** From a verified passkey until the phone shows a code, and from the page's confirmation until the phone links it. */
  passkeyPhoneMs: number;
  /** How long after a scan the page may confirm the code by itself. The first failure ends it. */
  passkeyHandoffMs: number;
  /** The limit of each of the page's three waits: for the phone, for the confirmation of the code, and to be paired. */
  passkeyWaitMs: number;
  /** From a message's arrival at the server to its ack 1. */
  serverAckMs: number;
  /** From then to ack 2; null: never by itself. */
  deliveredMs: number | null;
  /** From then to ack 3; null: never by itself. */
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
  passkeyTimeoutMs: 600_000,
  passkeyPhoneMs: 100,
  passkeyHandoffMs: 300_000,
  passkeyWaitMs: 120_000,
  serverAckMs: 20,
  deliveredMs: 200,
  readMs: 1_000,
};

/**
 * The steps at which the page can be made to reload or hang. The last three are steps of a send. `before-send`: the page was
 * called and has stored nothing yet. `pending`: the page has stored the message, and the server does not have it.
 * `at-server`: the server has it, and the page does not know.
 */
export type Step = 'first-ref' | 'paired' | 'connected' | 'synced' | 'before-send' | 'pending' | 'at-server';

export interface FaultSettings {
  /**
   * silent: connections are accepted and never answered. error-500: every request fails. scripts-stall: the document is
   * served, its scripts never are. reset: connections are cut, open ones too.
   */
  server: 'up' | 'silent' | 'error-500' | 'scripts-stall' | 'reset';
  /** UNPAIRED, but no ref is ever issued. */
  noRef: boolean;
  /** The state stays OPENING while this is set. */
  stayOpening: boolean;
  /** hasSynced is already true at CONNECTED, without a change event: whatsapp-web.js misses `ready`. */
  alreadySynced: boolean;
  /** CONNECTED, but hasSynced stays false while this is set. */
  neverSynced: boolean;
  /** The page has no window.Debug. */
  withoutDebug: boolean;
  /** Modules that window.require lacks, as on an incompatible page. Like `page.missing`, but cleared with the faults. */
  missingModules: string[];
  /** Reloads once, when the next page reaches the step. */
  reloadAt: { step: Step; delayMs?: number } | null;
  /** Hangs the page's main thread for ever, once, when the next page reaches the step. */
  hangAt: { step: Step; delayMs?: number } | null;
  /** No pairing code is issued: the page's call rejects with this text, e.g. `rate-overlimit`. */
  codeRefused: string | null;
  /** The server refuses every passkey. */
  passkeyServerError: boolean;
  /** The passkey is accepted, but the phone never goes on. */
  passkeySilent: boolean;
  /** The code is confirmed, but the page is never paired. */
  passkeyNeverPaired: boolean;
  /** Pages that are asked from now on do nothing when Continue is pressed. */
  passkeyWithoutGet: boolean;
  /** Pages that are asked from now on have no test ids on the screen for the passkey. */
  passkeyWithoutTestIds: boolean;
  /** The page's call to send never settles. `unsent`: nothing is sent. `sent`: the message is sent as usual. */
  sendStalls: false | 'unsent' | 'sent';
  /** The page's call to send rejects, and nothing is sent. */
  sendRejects: boolean;
  /** The message stays pending in the page, as with a lost network. The page sends it at its next connection. */
  dropBeforeServer: boolean;
  /** The server takes messages and never acknowledges them. The page sends them again at its next connection. */
  ackStalls: boolean;
  /** The server refuses messages: ack -1, for good. */
  ackError: boolean;
  /** Duration of getChats() in the page. Other calls do not wait for it. */
  slowChatsMs: number;
  /** What the page's call to mark a chat as seen does; null: it works. */
  seen: 'throws' | 'hangs' | null;
  /** What the page's call to react to a message does; null: it works. */
  reaction: 'throws' | 'hangs' | null;
  /** What the page's call for a link preview does; null: it works, and takes `previewMs`. */
  preview: 'throws' | 'hangs' | null;
  previewMs: number;
  /** Numbers whose look-up is never answered. */
  lookupHangs: string[];
  /** What the page's question about a group does; null: it works, and takes `groupMetadataMs`. */
  groupMetadata: 'refused' | 'hangs' | null;
  groupMetadataMs: number;
  /** Loading a chat's earlier messages throws. */
  loadEarlierThrows: boolean;
  /** The server answers the page's logout with this status; the device stays linked. */
  logoutRefused: number | null;
  /** The server never answers the page's logout; the device stays linked. */
  logoutSilent: boolean;
  /** Own fields of `Conn` with values that never occur, e.g. `{ pushname: 5, platform: null }`. */
  unusualConn: Record<string, unknown>;
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
  passkeyServerError: false,
  passkeySilent: false,
  passkeyNeverPaired: false,
  passkeyWithoutGet: false,
  passkeyWithoutTestIds: false,
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
  unusualConn: {},
};

/** Assigns known settings only. A misspelt name in a test throws, so it does not pass for a fault without effect. */
export function change<T extends object>(settings: T, changes: Partial<T>): void {
  for (const name of Object.keys(changes)) {
    if (!Object.hasOwn(settings, name)) {
      throw new Error(`there is no setting "${name}"; known are ${Object.keys(settings).join(', ')}`);
    }
  }
  Object.assign(settings, changes);
}
