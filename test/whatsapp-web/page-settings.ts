/** What the page of WhatsApp Web is like: WhatsApp changes it, and each change can be taken back here by itself. */
export interface PageSettings {
  /** What the page says it is, in `Debug.VERSION`. */
  version: string;
  /** The own field in which a message key keeps its string: `_serialized` in June, then `$1`. Any name will do. */
  keyField: string;
  /** Chats between two people, and people everywhere, go by hidden ids (`…@lid`); without it by numbers. */
  lidChats: boolean;
  /** Which id `queryWidExists()` answers. */
  existsAnswers: 'lid' | 'pn';
  /** Where `refreshQR` is: `cmd` has it in both modules. */
  refreshQr: 'launch-socket-utils' | 'cmd';
  /**
   * detached: `Socket.logout()` returns undefined at once; the page then tells the server, for 3 s at most, and leaves,
   * told or not. awaited: a promise of the server having forgotten the device.
   */
  logout: 'detached' | 'awaited';
  /** The 3 s of that. */
  logoutDeadlineMs: number;
  /** `hasSynced` becomes undefined, with its event, before the page leaves. */
  unsetsSyncAtLogout: boolean;
  /** A pairing code takes the secret away that a QR code needs, until the phone answers or QR codes are asked for. */
  codeTakesSecret: boolean;
  /** `WAWebMiscBrowserUtils.info()`; without it `WAWebBrowserInfo`, which asks `WAWebUA`. */
  miscBrowserInfo: boolean;
  /** The collection's name in `WAWebCollections`. */
  groupMetadata: 'WAWebGroupMetadataCollection' | 'GroupMetadata';
  /** `WAWebSyncGatingUtils.isPlaceholderMessageResendEnabled` exists. */
  placeholderGate: boolean;
  /** What the page does not have: `Module`, `Module.member` or `Module.member.inner`. */
  missing: string[];
}

/** The page as it was last seen. */
export const TODAY: Readonly<PageSettings> = {
  version: '2.3000.1044822804',
  keyField: '$1',
  lidChats: true,
  existsAnswers: 'lid',
  refreshQr: 'launch-socket-utils',
  logout: 'detached',
  logoutDeadlineMs: 3_000,
  unsetsSyncAtLogout: true,
  codeTakesSecret: true,
  miscBrowserInfo: false,
  groupMetadata: 'WAWebGroupMetadataCollection',
  placeholderGate: false,
  missing: [],
};

/** The page of June 2026, which whatsapp-web.js 1.34.7 was made for. */
export const JUNE: Readonly<PageSettings> = {
  version: '2.3000.1041500000',
  keyField: '_serialized',
  lidChats: false,
  existsAnswers: 'pn',
  refreshQr: 'cmd',
  logout: 'awaited',
  logoutDeadlineMs: 3_000,
  unsetsSyncAtLogout: false,
  codeTakesSecret: false,
  miscBrowserInfo: true,
  groupMetadata: 'GroupMetadata',
  placeholderGate: true,
  missing: [],
};
