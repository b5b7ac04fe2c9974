// What the page needs to be linked: the secret of its QR codes, the way in which it is to be linked, and the passkey's screen.

import { saveKeys, toBase64 } from './credentials.js';
import { Emitter } from './models.js';

const PROLOGUE = 'link_device_events:passkey_prologue_request';

export class Linking {
  events = new Emitter();
  pairingType = 'QR_CODE';
  #keys;
  /** Tells the server of another secret. */
  #announce;

  constructor(keys, announce) {
    this.#keys = keys;
    this.#announce = announce;
  }

  get secret() {
    return this.#keys.adv;
  }

  makeSecret() {
    this.#setSecret(toBase64(crypto.getRandomValues(new Uint8Array(32))));
    void saveKeys(this.#keys);
  }

  clearSecret() {
    this.#setSecret(null);
  }

  /** The server wants a passkey: what QR code is shown is void, and a person has to press a button. */
  askForPasskey() {
    this.makeSecret();
    this.pairingType = 'SHORTCAKE_PASSKEY';
    if (!passkeyScreen()) document.body.append(createPasskeyScreen());
    this.events.trigger(PROLOGUE);
  }

  cancelPasskey() {
    passkeyScreen()?.remove();
    this.pairingType = 'QR_CODE';
    this.makeSecret();
  }

  /** The phone's answer brings a secret where there is none. */
  linked() {
    passkeyScreen()?.remove();
    if (this.secret === null) this.makeSecret();
  }

  #setSecret(secret) {
    this.#keys.adv = secret;
    this.#announce(secret);
  }
}

const passkeyScreen = () => document.querySelector('[data-testid=shortcake_passkey_screen]');

function createPasskeyScreen() {
  const screen = document.createElement('div');
  screen.dataset.testid = 'shortcake_passkey_screen';
  const button = document.createElement('button');
  button.type = 'button';
  button.dataset.testid = 'shortcake_passkey_continue_button';
  button.textContent = 'Continue';
  screen.append(button);
  return screen;
}
