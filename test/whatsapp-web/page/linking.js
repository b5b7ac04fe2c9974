// State of linking: the secret of QR codes, the pairing type, and the passkey screen.

import { saveKeys, toBase64 } from './credentials.js';
import { Emitter } from './models.js';

const PROLOGUE = 'link_device_events:passkey_prologue_request';

export class Linking {
  events = new Emitter();
  pairingType = 'QR_CODE';
  #keys;
  /** Sends a new secret to the server. */
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

  /** The server wants a passkey. The shown QR code becomes void, and a person has to press a button. */
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

  /** The phone has answered. Makes a secret if there is none. */
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
