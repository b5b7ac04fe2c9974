// State of linking: the secret of QR codes and the pairing type.

import { saveKeys, toBase64 } from './credentials.js';
import { Emitter } from './models.js';

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

  /** The phone has answered. Makes a secret if there is none. */
  linked() {
    if (this.secret === null) this.makeSecret();
  }

  #setSecret(secret) {
    this.#keys.adv = secret;
    this.#announce(secret);
  }
}
