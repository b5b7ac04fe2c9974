/** Properties of the WhatsApp Web page. WhatsApp changes it; each change can be switched here separately. */
export interface PageSettings {
  /** The value of `Debug.VERSION`. */
  version: string;
  /** The own field of a message key that holds its string: `_serialized` in June, then `$1`. Any name works. */
  keyField: string;
  /** Ids of people and of chats with them are hidden ids (`…@lid`); if false, numbers. */
  lidChats: boolean;
  /** The kind of id that `queryWidExists()` returns. */
  existsAnswers: 'lid' | 'pn';
  /** The module with `refreshQR`. With `cmd` both modules have it. */
  refreshQr: 'launch-socket-utils' | 'cmd';
  /**
   * detached: `Socket.logout()` returns undefined at once. The page then tells the server, and leaves after at most 3 s, even
   * if the server was not told. awaited: returns a promise that resolves when the server has forgotten the device.
   */
  logout: 'detached' | 'awaited';
  /** The 3 s above. */
  logoutDeadlineMs: number;
  /** Before it leaves, the page sets `hasSynced` to undefined, with a change event. */
  unsetsSyncAtLogout: boolean;
  /** A pairing code clears the secret that a QR code needs, until the phone answers or the page goes back to QR codes. */
  codeTakesSecret: boolean;
  /** The page has `WAWebMiscBrowserUtils.info()`; if false, `WAWebBrowserInfo`, which uses `WAWebUA`. */
  miscBrowserInfo: boolean;
  /** The collection's name in `WAWebCollections`. */
  groupMetadata: 'WAWebGroupMetadataCollection' | 'GroupMetadata';
  /** `WAWebSyncGatingUtils.isPlaceholderMessageResendEnabled` exists. */
  placeholderGate: boolean;
  /** Modules and members that the page lacks: `Module`, `Module.member` or `Module.member.inner`. */
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
