import type { SessionState } from '../../contract/status.js';
import { html } from './html.js';
import { layout } from './layout.js';
import { codeImage, noCode, passkeyHelp, scanHint, stateLine } from './qr-parts.js';
import { codeHelp, type StateHelp } from './state-help.js';

/** `/qr` for a guest who opened a QR link: the code and the state, but nothing about the account, the server or its errors. */
export function guestQrPage(state: SessionState, image: string | null): string {
  const { heading, tone, content } = guestHelp(state, image !== null);
  return layout({
    title: heading,
    tone,
    isLive: true,
    content: html`<h1>${heading}</h1>
${content}
${image === null ? noCode : codeImage(image, null)}
${stateLine(state)}
${image === null ? scanHint : null}`,
  });
}

/** There is a code in the state `qr` only. */
function guestHelp(state: SessionState, hasCode: boolean): StateHelp {
  switch (state) {
    case 'qr':
      return codeHelp(hasCode);
    case 'starting':
      return {
        ...{ heading: 'Starting', tone: 'busy' },
        content: html`<p>Nothing to do: the code appears here within a minute.</p>`,
      };
    case 'passkey_required':
      return { heading: 'WhatsApp asks for a passkey', tone: 'bad', content: passkeyHelp };
    case 'authenticated':
      return {
        ...{ heading: 'Linking', tone: 'busy' },
        content: html`<p>The phone is linked. Keep it online until its chats are loaded.</p>`,
      };
    case 'ready':
      return {
        ...{ heading: 'Linked', tone: 'good' },
        content: html`<p>Nothing more to do here: you can close this page.</p>`,
      };
    case 'stopped':
    case 'auth_failure':
    case 'disconnected':
      return {
        ...{ heading: 'No code now', tone: 'idle' },
        content: html`<p>Ask the person who sent you the link to start the login.</p>`,
      };
  }
  return state satisfies never;
}
