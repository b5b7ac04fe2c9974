import type { SessionState } from '../../contract/status.js';
import { type Html, html } from './html.js';
import { layout, type Tone } from './layout.js';
import { hint, noImage, tile } from './qr-page.js';
import { passkeyExplained, scanSteps } from './state-help.js';

/** `/qr` for the holder of a QR link: the code and the bare state. Nothing of the account, the server or its errors. */
export function guestQrPage(state: SessionState, image: string | null): string {
  const [heading, tone, text] = helpFor(state, image !== null);
  return layout({
    title: heading,
    tone,
    isLive: true,
    content: html`<h1>${heading}</h1>
${image === null ? text : scanSteps}
${image === null ? noImage : tile(image, null)}
<p class="state" role="status"><span class="dot" aria-hidden="true"></span>State: <strong>${state}</strong></p>
${image === null ? hint : null}`,
  });
}

function helpFor(state: SessionState, hasImage: boolean): readonly [string, Tone, Html | null] {
  switch (state) {
    case 'qr':
      return hasImage
        ? ['Scan this code', 'busy', null]
        : ['A fresh code is coming', 'busy', html`<p>Nothing to do: it appears here in a moment.</p>`];
    case 'starting':
      return ['Starting', 'busy', html`<p>Nothing to do: the code appears here within a minute.</p>`];
    case 'passkey_required':
      return ['WhatsApp asks for a passkey', 'bad', passkeyExplained];
    case 'authenticated':
      return [
        'Linking',
        'busy',
        html`<p>The phone is linked. Keep it online until its chats are loaded.</p>`,
      ];
    case 'ready':
      return ['Linked', 'good', html`<p>Nothing more to do here: you can close this page.</p>`];
    case 'stopped':
    case 'auth_failure':
    case 'disconnected':
      return ['No code now', 'idle', html`<p>Ask whoever sent you the link to start the login.</p>`];
  }
  return state satisfies never;
}
