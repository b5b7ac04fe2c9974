import type { SessionState } from '../../contract/status.js';
import { scanSteps } from './advice.js';
import { html } from './html.js';
import { hint, noImage, tile } from './qr-page.js';
import { shell, type Tone } from './shell.js';

/** `/qr` for the holder of a QR link: the code and the bare state. Nothing of the account, the server or its errors. */
export function visitorPage(state: SessionState, image: string | null): string {
  const [heading, tone, text] = adviceFor(state, image !== null);
  return shell({
    title: heading,
    tone,
    isLive: true,
    content: html`<h1>${heading}</h1>
${image === null ? html`<p>${text}</p>` : scanSteps}
${image === null ? noImage : tile(image, null)}
<p class="state" role="status"><span class="dot" aria-hidden="true"></span>State: <strong>${state}</strong></p>
${image === null ? hint : null}`,
  });
}

function adviceFor(state: SessionState, hasImage: boolean): readonly [string, Tone, string] {
  switch (state) {
    case 'qr':
      return hasImage
        ? ['Scan this code', 'busy', '']
        : ['A fresh code is coming', 'busy', 'Nothing to do: it appears here in a moment.'];
    case 'starting':
      return ['Starting', 'busy', 'Nothing to do: the code appears here within a minute.'];
    case 'authenticated':
      return ['Linking', 'busy', 'The phone is linked. Keep it online until its chats are loaded.'];
    case 'ready':
      return ['Linked', 'good', 'Nothing more to do here: you can close this page.'];
    case 'stopped':
    case 'auth_failure':
    case 'disconnected':
      return ['No code now', 'idle', 'Ask whoever sent you the link to start the login.'];
  }
  return state satisfies never;
}
