// The screen that takes the place of the QR code while a passkey is asked for.

export class PasskeyScreen {
  #handlers;
  #screen = null;
  #hasTestIds = true;

  /** Handlers of the buttons: onContinue, onConfirm, onCancel. */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  open(hasTestIds) {
    this.close();
    this.#hasTestIds = hasTestIds;
    this.#screen = this.#element('section', 'shortcake_passkey_screen');
    document.body.append(this.#screen);
  }

  close() {
    this.#screen?.remove();
    this.#screen = null;
  }

  showPrompt({ isAsking = false, hasFailed = false } = {}) {
    const button = this.#button('shortcake_passkey_continue_button', 'Continue', this.#handlers.onContinue);
    button.disabled = isAsking;
    const alert = this.#element('p', null, 'Something went wrong. Try again.');
    alert.setAttribute('role', 'alert');
    this.#show('shortcake_passkey_prompt_card', ...(hasFailed ? [alert] : []), button);
  }

  showWaiting() {
    this.#show('shortcake_waiting_for_phone_card', this.#element('p', null, 'Open WhatsApp on your phone.'));
  }

  /** `isConfirmed`: the page confirms the code by itself. */
  showCode(code, isConfirmed) {
    const shown = this.#element(
      'p',
      'shortcake_verification_code_display',
      `${code.slice(0, 4)}-${code.slice(4)}`,
    );
    const button = this.#button('shortcake_code_confirm_button', 'Confirm', this.#handlers.onConfirm);
    button.disabled = isConfirmed;
    button.addEventListener('click', () => {
      button.disabled = true;
    });
    this.#show('shortcake_code_matching_card', shown, button);
  }

  #show(testId, ...content) {
    const card = this.#element('div', testId);
    card.append(...content);
    const cancel = this.#button('shortcake_cancel_button', 'Cancel', this.#handlers.onCancel);
    this.#screen.replaceChildren(card, cancel);
  }

  #button(testId, text, onClick) {
    const button = this.#element('button', testId, text);
    button.type = 'button';
    button.addEventListener('click', onClick);
    return button;
  }

  #element(tag, testId, text = '') {
    const element = document.createElement(tag);
    if (testId !== null && this.#hasTestIds) element.dataset.testid = testId;
    element.textContent = text;
    return element;
  }
}
