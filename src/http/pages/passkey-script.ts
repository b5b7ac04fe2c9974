import { whatsAppOrigin } from '../../contract/passkey.js';

/**
 * The buttons of `/qr` while WhatsApp asks for a passkey. It opens WhatsApp Web in a tab, and takes the answer of that tab only. Like
 * the live script it is inline and allowed by its hash. It listens on the document: the live script replaces the buttons.
 */
export const passkeyScript = `
(() => {
  const site = '${whatsAppOrigin}';
  let tab = null;

  document.addEventListener('click', (event) => {
    const target = event.target.closest('[data-passkey]');
    if (target === null) return;
    if (target.dataset.passkey === 'copy') void copy();
    if (target.dataset.passkey === 'open') {
      // Where pop-ups are blocked, the link opens the tab. Its answer has to be pasted.
      tab = window.open(target.href, '_blank');
      if (tab !== null) event.preventDefault();
    }
  });

  async function copy() {
    const source = document.getElementById('passkey-command');
    if (source === null) return;
    // Otherwise the answer would be sent to another page.
    if (source.dataset.origin !== location.origin) {
      return say('This server does not know that it is reached under ' + location.origin + ': set WHATSAPP_PUBLIC_URL.');
    }
    try {
      await navigator.clipboard.writeText(source.textContent);
      say('Copied. Now open WhatsApp Web.');
    } catch {
      // Browsers have no clipboard on a page without TLS.
      source.closest('details').open = true;
      getSelection().selectAllChildren(source);
      say(document.execCommand('copy') ? 'Copied. Now open WhatsApp Web.' : 'Copy the command that is selected below.');
    }
  }

  addEventListener('message', async ({ origin, source, data }) => {
    if (tab === null || source !== tab || origin !== site) return;
    const answer = data && data.holdlinePasskey;
    if (typeof answer !== 'object' || answer === null) return;
    // The other tab shows the answer to be copied unless it gets this soon. The server may take 30 s.
    source.postMessage({ holdlineReceived: true }, site);
    const reply = (problem) => source.postMessage({ holdlineReply: { problem } }, site);
    say('The answer is here. Giving it to WhatsApp\\u2026');
    try {
      const response = await fetch((document.body.dataset.api || 'api/') + 'auth/passkey/answer', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(answer),
      });
      const body = await response.json();
      reply(response.ok ? null : body.error.message);
      say(response.ok ? 'Received. WhatsApp goes on.' : 'Not taken: ' + body.error.message);
    } catch {
      reply('The server did not say whether the answer arrived. If its page still asks for the passkey, try again:');
      say('This server did not say whether the answer arrived. If this page still asks, press the button in the other tab again.');
    }
  });

  let said = { text: '', command: null };
  const shownCommand = () => document.getElementById('passkey-command')?.textContent ?? null;

  function say(text) {
    said = { text, command: shownCommand() };
    keepSaying();
  }

  /** The live script replaces the line. For another request it starts empty. */
  function keepSaying() {
    const line = document.getElementById('passkey-said');
    const isOfRequest = line !== null && said.command !== null && said.command === shownCommand();
    if (isOfRequest && line.textContent !== said.text) line.textContent = said.text;
  }
  new MutationObserver(keepSaying).observe(document, { childList: true, subtree: true });
})();
`;
