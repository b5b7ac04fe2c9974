import type { Foreign, PageAccess } from './page-access.js';
import type { Passkey, PasskeyScreen } from './passkey.js';

/** What the page reports about its state. */
export interface PageReport {
  readonly socketState: string | null;
  readonly hasSynced: boolean;
  /** The library's listeners are in place. */
  readonly isInjected: boolean;
  /** The library has begun its steps to `ready` in this page. */
  readonly hasBegunReadySteps: boolean;
  readonly isLoaded: boolean;
  /** WhatsApp has sent the page to its logged-out address (`post_logout=1`). */
  readonly isLoggedOut: boolean;
  /** WhatsApp asks the person for a passkey; null: it does not. */
  readonly passkey: PasskeyScreen | null;
}

/** The report of a page that does not have the agent yet. This function is sent to the page as text, like a page script. */
export function reportWithoutAgent(window: Foreign): PageReport {
  return {
    socketState: null,
    hasSynced: false,
    isInjected: false,
    hasBegunReadySteps: false,
    isLoaded: window.document.readyState === 'complete',
    isLoggedOut: String(window.location.search).includes('post_logout=1'),
    passkey: null,
  };
}

export interface Linking {
  report(): PageReport;
  /** Requests fresh QR codes by a function of the page. Reloads the page if it has no such function, or if `byReload`. */
  refreshQr(input: { byReload: boolean }): void;
  /** A code to type on the phone. QR codes have no secret until it expires. Throws what the page throws. */
  pairingCode(input: { digits: string; timeoutMs: number }): Promise<string>;
  /** Cancels a pairing code or a passkey request: a new secret and fresh QR codes. */
  backToQr(): Promise<void>;
  /** Sets what the phone lists under Linked devices. Must run before the page registers this device. */
  nameDevice(input: { name: string }): 'named' | 'not-possible';
  /** `Socket.state` is that of a device that is not linked. */
  isUnpaired(): boolean;
  /** How a device is being linked: a text, such as `QR_CODE`. */
  pairingType(): Foreign;
}

export function linking(page: PageAccess & Pick<Passkey, 'passkeyScreen'>): Linking {
  const socket = () => page.member('WAWebSocketModel.Socket');

  function state(): string | null {
    const value = page.attempt(() => socket().state);
    return typeof value === 'string' ? value : null;
  }

  function pairingType(): Foreign {
    return page.attempt(() => page.member('WAWebAltDeviceLinkingApi.getPairingType')());
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
        // Reload instead.
      }
    }
    page.window.location.reload();
  }

  return {
    report: () => ({
      socketState: state(),
      hasSynced: page.attempt(() => socket().hasSynced) === true,
      isInjected: typeof page.window.onAppStateHasSyncedEvent === 'function',
      hasBegunReadySteps: page.window.WWebJS !== undefined,
      isLoaded: page.window.document.readyState === 'complete',
      isLoggedOut: String(page.window.location.search).includes('post_logout=1'),
      passkey: page.passkeyScreen(),
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
      // Older pages use this one.
      if (typeof info === 'function') utils.info = () => ({ ...info.call(utils), os: name });
      return typeof getResult === 'function' || typeof info === 'function' ? 'named' : 'not-possible';
    },
    isUnpaired: () => state()?.startsWith('UNPAIRED') ?? false,
    pairingType,
  };
}
