import type { Foreign, PageAccess } from './page-access.js';
import type { PasskeyRelay } from './passkey-relay.js';

/** WhatsApp's request for a passkey, as the page shows it. */
export interface PasskeyScreen {
  /**
   * prompt: nothing has been asked, Continue can be pressed. asking: the page has asked the browser. failed: Continue can be
   * pressed again. phone: the phone goes on. code: a person compares the code. linking: the code is confirmed.
   */
  readonly card: 'prompt' | 'asking' | 'failed' | 'phone' | 'code' | 'linking';
  /** To compare with the phone; null: none is shown. */
  readonly code: string | null;
  /** What the page gave as the reason of its last failure. */
  readonly reason: string | null;
  /** How often WhatsApp has asked this page. */
  readonly requests: number;
}

export interface Passkey {
  /** null: WhatsApp does not ask for a passkey. */
  passkeyScreen(): PasskeyScreen | null;
  /** How often WhatsApp has asked this page. */
  passkeyRequests(): number;
  /** After this, `passkeyScreen` also knows what the page tells only by events. */
  watchForPasskey(): void;
  /** Presses Continue: the page asks the browser for the passkey. */
  continuePasskey(): void;
  /** Confirms that the phone shows the same code. */
  confirmPasskeyCode(): void;
  /** Presses Cancel. */
  cancelPasskey(): void;
}

/** Uses the screen's test ids. Without them it uses the events and functions of the page's modules. */
export function passkey(
  page: PageAccess &
    Pick<PasskeyRelay, 'isPasskeyPending' | 'refusePasskey'> & {
      pairingType(): Foreign;
      isUnpaired(): boolean;
    },
): Passkey {
  const events = 'link_device_events:';
  const longestCode = 16;
  let requests = 0;
  let told: Pick<PasskeyScreen, 'card' | 'code' | 'reason'> | null = null;
  let isWatching = false;

  function find(name: string): Foreign {
    const found = page.attempt(() => page.window.document.querySelector(`[data-testid=shortcake_${name}]`));
    return found ?? null;
  }

  function isAsked(): boolean {
    if (!page.isUnpaired()) return false;
    if (find('passkey_screen') !== null) return true;
    const type = page.pairingType();
    if (typeof type === 'string' && type !== 'SHORTCAKE_PASSKEY') told = null;
    return type === 'SHORTCAKE_PASSKEY' || told !== null;
  }

  function codeIn(text: Foreign): string | null {
    const code = typeof text === 'string' ? text.toUpperCase().replace(/[^0-9A-Z]/g, '') : '';
    return code === '' || code.length > longestCode ? null : code;
  }

  function stage(): Foreign {
    return page.attempt(() => page.member('WAWebShortcakeLinkingApi.getShortcakeLinkingStage')());
  }

  /** null: the screen has none of the known parts. */
  function cardShown(): Pick<PasskeyScreen, 'card' | 'code'> | null {
    const display = find('verification_code_display');
    if (display !== null) {
      const code = codeIn(page.attempt(() => display.textContent)) ?? told?.code ?? null;
      const isConfirmed = told?.card === 'linking' || find('code_confirm_button')?.disabled === true;
      return { card: isConfirmed ? 'linking' : 'code', code };
    }
    if (find('waiting_for_phone_card') !== null) return { card: 'phone', code: null };
    const button = find('passkey_continue_button');
    if (button === null) return null;
    if (button.disabled === true) return { card: 'asking', code: null };
    const alert = page.attempt(() => find('passkey_prompt_card').querySelector('[role=alert]')) ?? null;
    return { card: alert === null ? 'prompt' : 'failed', code: null };
  }

  /** `next`: the card until the page tells another. */
  function press(button: string, action: string, next: typeof told): void {
    const shown = find(button);
    // Pressed already.
    if (shown?.disabled === true) return;
    const run = shown === null ? page.need(`WAWebShortcakeLinkingAction.${action}`) : () => shown.click();
    told = next;
    // The page tells its failure by an event.
    void page.atMost(600_000, () => run());
  }

  return {
    passkeyScreen() {
      if (!isAsked()) return null;
      // The call itself is the proof; the screen follows it.
      if (page.isPasskeyPending()) {
        told = { card: 'asking', code: null, reason: null };
        return { ...told, requests };
      }
      const shown = cardShown() ?? { card: told?.card ?? 'prompt', code: told?.code ?? null };
      return { ...shown, reason: told?.reason ?? null, requests };
    },
    passkeyRequests: () => requests,
    watchForPasskey() {
      if (isWatching) return;
      isWatching = true;
      const emitter = page.member('WAWebLinkDeviceEvents.WAWebLinkDeviceEvents');
      const on = (name: string, listener: (...values: Foreign[]) => void) =>
        page.attempt(() => emitter.on(`${events}${name}`, listener));
      on('passkey_prologue_request', () => {
        requests += 1;
        // That call is for the request before.
        page.refusePasskey();
        // A page that goes on with the phone shows that until it fails, if it does go on.
        const goesOn = told !== null && ['phone', 'code', 'linking'].includes(told.card);
        if (!goesOn || stage() === 'NotStarted') told = { card: 'prompt', code: null, reason: null };
      });
      on('shortcake_prologue_sent', () => {
        told = { card: 'phone', code: null, reason: null };
      });
      on('shortcake_verification_code_ready', (code, isConfirmed) => {
        told = { card: isConfirmed === true ? 'linking' : 'code', code: codeIn(code), reason: null };
      });
      on('shortcake_error', (reason) => {
        told = {
          card: 'failed',
          code: null,
          reason: typeof reason === 'string' ? reason.slice(0, 64) : null,
        };
      });
    },
    continuePasskey() {
      const next = { card: 'asking', code: null, reason: null } as const;
      press('passkey_continue_button', 'startShortcakePasskeyPairing', next);
    },
    confirmPasskeyCode() {
      // Confirmed already.
      if (told?.card === 'linking') return;
      press('code_confirm_button', 'confirmShortcakeVerificationCode', told && { ...told, card: 'linking' });
    },
    cancelPasskey() {
      press('cancel_button', 'cancelShortcakePasskeyPairing', null);
    },
  };
}
