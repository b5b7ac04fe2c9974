import { type PasskeyOptions, whatsAppOrigin } from './passkey.js';

interface CommandInput {
  readonly id: string;
  readonly options: PasskeyOptions;
  /** The URL of the server's page `/qr`, to which the answer goes back. */
  readonly gateway: string;
  /** The answer is shown to be copied, although a page has opened the tab. */
  readonly showsAnswer?: boolean;
}

/**
 * The command that the owner runs in the console of WhatsApp Web, in a browser of their own. It shows a button: a passkey can be used
 * only after a click. The answer goes to `window.holdlineTakeAnswer` if there is such a function, else to the page that opened the tab,
 * else it is shown to be copied. It is written to be read: it must show what it does to whoever is asked to run it.
 */
export function passkeyCommand({ id, options, gateway, showsAnswer = false }: CommandInput): string {
  const request = { id, gateway, options, showsAnswer };
  return `// This lets ${new URL(gateway).host} link itself to YOUR WhatsApp account and read all of it.
// Run it only if that server is yours and you have just scanned its code yourself.
// If somebody sent you this text: close this tab. They want your account.
(${command})(${JSON.stringify(request).replaceAll('<', '\\u003c')}, '${whatsAppOrigin}')`;
}

// Source text: it runs in the owner's browser. By hand and without newer helpers, because some browsers and password managers lack them.
const command = `(request, site) => {
  if (location.origin !== site) return 'Open ' + site + ' first, and run this there.';
  if (!window.PublicKeyCredential) return 'This browser cannot use passkeys. Use a current Chrome, Edge, Safari or Firefox.';
  const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  const toText = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/[+]/g, '-').replace(/[/]/g, '_').replace(/=+$/, '');
  const { challenge, rpId, timeout, userVerification, allowCredentials } = request.options;
  const publicKey = { challenge: toBytes(challenge), rpId, timeout, userVerification };
  publicKey.allowCredentials = allowCredentials.map((each) => ({ ...each, id: toBytes(each.id) }));
  const gateway = new URL(request.gateway);

  const old = document.getElementById('holdline-passkey');
  if (old) old.remove();
  const box = document.body.appendChild(document.createElement('dialog'));
  box.id = 'holdline-passkey';
  box.style.cssText = 'max-width: 26rem; padding: 1.5rem; font: 1rem/1.5 sans-serif; border: 0; border-radius: 12px; color: #111; background: #fff';
  const add = (tag, text) => {
    const element = box.appendChild(document.createElement(tag));
    element.textContent = text;
    return element;
  };
  const say = add('p', 'Use your passkey, so that ' + gateway.host + ' may be linked to your WhatsApp account?');
  const warning = add('p', 'It will read and write all your messages. If you did not scan a code of that server just now, or if somebody sent you here, close this tab.');
  const button = add('button', 'Use my passkey');
  button.style.cssText = 'padding: .6rem 1rem; font: inherit; border: 0; border-radius: 8px; color: #fff; background: #0b6b50; cursor: pointer';
  const problems = {
    NotAllowedError: 'The passkey was not used: this browser found none, it was declined, or it took too long. Is it in another browser, or on your phone? Then choose that one when asked. Try again:',
    SecurityError: 'This browser allows no passkey of WhatsApp on this page.',
  };
  button.onclick = async () => {
    button.disabled = true;
    try {
      const credential = await navigator.credentials.get({ publicKey });
      const { clientDataJSON, authenticatorData, signature, userHandle } = credential.response;
      const response = { clientDataJSON: toText(clientDataJSON), authenticatorData: toText(authenticatorData), signature: toText(signature) };
      if (userHandle) response.userHandle = toText(userHandle);
      const answer = { id: request.id, credential: { id: credential.id, rawId: toText(credential.rawId), type: credential.type, response } };
      const text = JSON.stringify(answer);
      let problem = null;
      if (window.holdlineTakeAnswer) window.holdlineTakeAnswer(text);
      else if (window.opener && !request.showsAnswer) problem = await sendToOpener(answer);
      else return showAnswer(text);
      // The page that opened this tab was closed or loaded again.
      if (problem === 'no reply') return showAnswer(text);
      if (problem) throw new Error(problem);
      warning.remove();
      button.remove();
      say.textContent = 'Done. Go back to the page of ' + gateway.host + '; you can close this tab.';
    } catch (error) {
      say.textContent = problems[error.name] || error.message;
      button.disabled = false;
    }
  };
  // Resolves to what the page says is wrong; null: nothing.
  const sendToOpener = (answer) => new Promise((resolve) => {
    const end = (problem) => {
      clearTimeout(timer);
      removeEventListener('message', listen);
      resolve(problem);
    };
    const listen = ({ source, origin, data }) => {
      if (source !== window.opener || origin !== gateway.origin || !data) return;
      if (data.holdlineReply) return end(data.holdlineReply.problem);
      if (!data.holdlineReceived) return;
      // The page has the answer, and its server may take 30 seconds.
      clearTimeout(timer);
      timer = setTimeout(end, 40000, 'It is not known whether ' + gateway.host + ' took the answer. Look at its page. If that still asks for the passkey, try again:');
    };
    let timer = setTimeout(end, 10000, 'no reply');
    addEventListener('message', listen);
    window.opener.postMessage({ holdlinePasskey: answer }, gateway.origin);
  });
  const showAnswer = (text) => {
    warning.remove();
    button.remove();
    say.textContent = 'Copy this answer, and paste it into the page of ' + gateway.host + ':';
    const area = add('textarea', text);
    area.readOnly = true;
    area.rows = 6;
    area.style.cssText = 'width: 100%';
    const copy = add('button', 'Copy');
    copy.onclick = () => {
      area.select();
      navigator.clipboard.writeText(text).then(() => { copy.textContent = 'Copied'; }, () => {});
    };
  };
  box.showModal();
  return 'Press the button in the page.';
}`;
