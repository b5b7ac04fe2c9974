import type { Foreign, PageAgent } from './agent.js';

/** What the page says of itself. */
export interface PageReport {
  readonly socketState: string | null;
  readonly hasSynced: boolean;
  /** The library's listeners are in place. */
  readonly isInjected: boolean;
  /** The library has begun its steps to `ready` in this page. */
  readonly hasBegunReadying: boolean;
  readonly isLoaded: boolean;
  /** WhatsApp sent the page to its goodbye address. */
  readonly isLoggedOut: boolean;
  /** WhatsApp asks the person for a passkey. */
  readonly asksForPasskey: boolean;
}

export interface Linking {
  report(): PageReport;
  /** Asks WhatsApp for fresh codes, by a function of the page or, `byReload` or where it has none, by loading it anew. */
  refreshQr(input: { byReload: boolean }): void;
  /** A code to type on the phone; takes the QR's secret away for as long as it counts. Throws what the page throws. */
  pairingCode(input: { digits: string; timeoutMs: number }): Promise<string>;
  /** Gives up a pairing code or a passkey: a new secret, fresh codes. */
  backToQr(): Promise<void>;
  /** What the phone lists under Linked devices; to be said before the page introduces itself. */
  nameDevice(input: { name: string }): 'named' | 'not-possible';
  /** From now on a request for a passkey is noticed, however the page tells of it. */
  watchForPasskey(): void;
}

export function linking(page: PageAgent): Linking {
  let hasHeardOfPasskey = false;
  let isWatching = false;

  const socket = () => page.member('WAWebSocketModel.Socket');

  function state(): string | null {
    const value = page.attempt(() => socket().state);
    return typeof value === 'string' ? value : null;
  }

  function pairingType(): Foreign {
    return page.attempt(() => page.member('WAWebAltDeviceLinkingApi.getPairingType')());
  }

  function isPasskeyShown(): boolean {
    const shown = page.attempt(() =>
      page.window.document.querySelector('[data-testid=shortcake_passkey_screen]'),
    );
    return shown !== undefined && shown !== null;
  }

  function asksForPasskey(): boolean {
    if (!(state()?.startsWith('UNPAIRED') ?? false)) {
      hasHeardOfPasskey = false;
      return false;
    }
    const type = pairingType();
    if (typeof type === 'string') return type === 'SHORTCAKE_PASSKEY' || isPasskeyShown();
    return hasHeardOfPasskey || isPasskeyShown();
  }

  function setPairingType(type: string): void {
    page.need('WAWebAltDeviceLinkingApi.setPairingType')(type);
  }

  function refreshQr({ byReload }: { byReload: boolean }): void {
    const refresh = page.anyMember('WAWebLaunchSocketUtils.refreshQR|WAWebCmd.Cmd.refreshQR');
    if (!byReload && typeof refresh === 'function') {
      try {
        refresh();
        return;
      } catch {
        // The page can still be loaded anew.
      }
    }
    page.window.location.reload();
  }

  return {
    report: () => ({
      socketState: state(),
      hasSynced: page.attempt(() => socket().hasSynced) === true,
      isInjected: typeof page.window.onAppStateHasSyncedEvent === 'function',
      hasBegunReadying: page.window.WWebJS !== undefined,
      isLoaded: page.window.document.readyState === 'complete',
      isLoggedOut: String(page.window.location.search).includes('post_logout=1'),
      asksForPasskey: asksForPasskey(),
    }),
    refreshQr,
    async pairingCode({ digits, timeoutMs }) {
      const api = page.need('WAWebAltDeviceLinkingApi');
      page.need('WAWebAltDeviceLinkingApi.initializeAltDeviceLinking');
      page.need('WAWebAltDeviceLinkingApi.startAltLinkingFlow');
      const ask = async () => {
        setPairingType('ALT_DEVICE_LINKING');
        await api.initializeAltDeviceLinking();
        return api.startAltLinkingFlow(digits, true);
      };
      return page.within(timeoutMs, 'WhatsApp', ask());
    },
    async backToQr() {
      hasHeardOfPasskey = false;
      const begin = page.member('WAWebAltDeviceLinkingApi.initializeQRLinking');
      if (typeof begin === 'function') {
        await page.atMost(5_000, () => begin());
        page.attempt(() => setPairingType('QR_CODE'));
      }
      refreshQr({ byReload: false });
    },
    nameDevice({ name }) {
      const parser = page.member('WAWebUA.UA.parser');
      const getResult = page.attempt(() => parser.getResult);
      const utils = page.member('WAWebMiscBrowserUtils');
      const info = page.attempt(() => utils.info);
      if (typeof getResult === 'function') {
        parser.getResult = () => {
          const result = getResult.call(parser);
          return { ...result, os: { ...result?.os, name } };
        };
      }
      // The pages before used this.
      if (typeof info === 'function') utils.info = () => ({ ...info.call(utils), os: name });
      return typeof getResult === 'function' || typeof info === 'function' ? 'named' : 'not-possible';
    },
    watchForPasskey() {
      if (isWatching) return;
      isWatching = true;
      page.attempt(() =>
        page
          .member('WAWebLinkDeviceEvents.WAWebLinkDeviceEvents')
          .on('link_device_events:passkey_prologue_request', () => {
            hasHeardOfPasskey = true;
          }),
      );
    },
  };
}
