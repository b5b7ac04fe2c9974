// Linking with a passkey, as the page does it after the server's request: asks the browser for the passkey when a person
// presses Continue, sends it, waits for the phone, shows a code to compare, and waits to be paired.

import { toBase64 } from './credentials.js';
import { PasskeyScreen } from './passkey-screen.js';

const EVENTS = 'link_device_events:';

export const STAGES = {
  NotStarted: 'NotStarted',
  Initialized: 'Initialized',
  WaitingForPrimaryIdentity: 'WaitingForPrimaryIdentity',
  WaitingForVerificationCodeConfirmation: 'WaitingForVerificationCodeConfirmation',
  WaitingForPairingCompletion: 'WaitingForPairingCompletion',
};

export class Passkey {
  stage = STAGES.NotStarted;
  code = null;
  #linking;
  #stream;
  #screen = new PasskeyScreen({
    onContinue: () => void this.start(),
    onConfirm: () => void this.confirm(),
    onCancel: () => void this.cancel(),
  });
  /** The server's last request, with the settings of its faults; null: no passkey is asked for. */
  #request = null;
  #options = null;
  /** Until then the page can prove that it was scanned, and no person has to compare a code. */
  #handoffUntil = 0;
  #isCodeSpared = false;
  /** Counts starts and ends, so that a late answer of an earlier attempt changes nothing. */
  #attempt = 0;
  #limit;

  constructor(linking, stream) {
    this.#linking = linking;
    this.#stream = stream;
  }

  receive(message) {
    switch (message.type) {
      case 'passkey-asked':
        this.#ask(message);
        break;
      case 'passkey-continues':
        this.#compare(message.code);
        break;
      case 'passkey-cancelled':
        this.#leave();
        break;
      case 'paired':
        this.#end();
        break;
    }
  }

  /** Continue. Without options of the server it fetches new ones. */
  async start() {
    if (this.#request === null || this.#request.withoutGet || this.stage !== STAGES.NotStarted) return;
    const attempt = ++this.#attempt;
    const isOld = () => attempt !== this.#attempt;
    this.#enter(STAGES.Initialized);
    this.#screen.showPrompt({ isAsking: true });
    let reason = 'server_error';
    try {
      this.#options ??= await this.#stream.ask({ kind: 'passkey-options' });
      if (isOld()) return;
      reason = 'unknown';
      const credential = await navigator.credentials.get({ publicKey: publicKeyOf(this.#options) });
      if (isOld()) return;
      if (credential?.type !== 'public-key') throw new Error('not a public-key credential');
      const answer = plain(credential);
      reason = 'server_error';
      this.#isCodeSpared = Date.now() < this.#handoffUntil;
      await this.#stream.ask({ kind: 'passkey-answer', credential: answer });
      if (isOld()) return;
      this.#enter(STAGES.WaitingForPrimaryIdentity);
      this.#screen.showWaiting();
      this.#trigger('shortcake_prologue_sent');
    } catch (error) {
      if (!isOld()) this.#fail(reason, error);
    }
  }

  async confirm() {
    if (this.stage !== STAGES.WaitingForVerificationCodeConfirmation) return;
    const attempt = this.#attempt;
    this.#enter(STAGES.WaitingForPairingCompletion);
    try {
      await this.#stream.ask({ kind: 'passkey-confirm', code: this.code });
    } catch (error) {
      if (attempt === this.#attempt) this.#fail('server_error', error);
    }
  }

  /** Cancel: back to QR codes. */
  async cancel() {
    if (this.#request === null) return;
    this.#leave();
    await this.#stream.ask({ kind: 'passkey-cancel' }, null);
  }

  /** A later request replaces an earlier one, whose call for the passkey stays pending. */
  #ask(request) {
    if (this.#request === null) this.#linking.makeSecret();
    this.#clear();
    this.#request = request;
    this.#options = request.options;
    this.#handoffUntil = Date.now() + request.handoffMs;
    this.#linking.pairingType = 'SHORTCAKE_PASSKEY';
    this.#screen.open(!request.withoutTestIds);
    this.#screen.showPrompt();
    this.#trigger('passkey_prologue_request');
  }

  #compare(code) {
    if (this.stage !== STAGES.WaitingForPrimaryIdentity) return;
    this.code = code;
    this.#enter(STAGES.WaitingForVerificationCodeConfirmation);
    this.#screen.showCode(code, this.#isCodeSpared);
    this.#trigger('shortcake_verification_code_ready', code, this.#isCodeSpared);
    if (this.#isCodeSpared) void this.confirm();
  }

  #fail(reason, error) {
    this.#clear(`${reason}: ${error.name === 'Error' ? error.message : error.name}`);
    this.#screen.showPrompt({ hasFailed: true });
    this.#trigger('shortcake_error', reason);
  }

  #leave() {
    this.#end();
    this.#linking.pairingType = 'QR_CODE';
    this.#linking.makeSecret();
  }

  #end() {
    this.#clear();
    this.#request = null;
    this.#screen.close();
  }

  /** Nothing is under way any more. */
  #clear(failure = null) {
    this.#attempt += 1;
    this.#options = null;
    this.#handoffUntil = 0;
    this.#isCodeSpared = false;
    this.code = null;
    this.#enter(STAGES.NotStarted, failure);
  }

  /** Each wait for phone, person or server has a limit. The wait for the passkey ends by itself. */
  #enter(stage, failure = null) {
    this.stage = stage;
    clearTimeout(this.#limit);
    if (stage.startsWith('Waiting')) {
      this.#limit = setTimeout(() => this.#fail('timeout', new Error(stage)), this.#request.waitMs);
    }
    if (this.#request !== null) this.#stream.send({ type: 'passkey-stage', stage, failure });
  }

  #trigger(event, ...details) {
    this.#linking.events.trigger(`${EVENTS}${event}`, ...details);
  }
}

function publicKeyOf({ challenge, allowCredentials, ...others }) {
  return {
    ...others,
    challenge: fromBase64Url(challenge),
    allowCredentials: allowCredentials.map((each) => ({ ...each, id: fromBase64Url(each.id) })),
  };
}

/** The fields that the server needs. Takes nothing else of the object. */
function plain({ id, rawId, type, response }) {
  const { clientDataJSON, authenticatorData, signature, userHandle } = response;
  return {
    id,
    rawId: toBase64Url(rawId),
    type,
    clientExtensionResults: {},
    response: {
      clientDataJSON: toBase64Url(clientDataJSON),
      authenticatorData: toBase64Url(authenticatorData),
      signature: toBase64Url(signature),
      ...(userHandle ? { userHandle: toBase64Url(userHandle) } : {}),
    },
  };
}

function toBase64Url(bytes) {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

function fromBase64Url(text) {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
