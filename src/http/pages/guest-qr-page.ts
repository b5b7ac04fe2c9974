import { isLinkedState } from '../../contract/status.js';
import type { QrPageView } from '../session/qr-page-view.js';
import { html } from './html.js';
import { layout } from './layout.js';
import { guestPasskeyHelp } from './passkey-help.js';
import type { Place } from './place.js';
import { codeImage, qrRegions, scanHint, unlinkHint } from './qr-parts.js';
import type { StateHelp } from './situation.js';
import { codeHelp, startWaits } from './state-help.js';

/** `/qr` for a guest who opened a QR link: the code and the state, but nothing about the account, the server or its errors. */
export function guestQrPage(view: QrPageView, place: Place): string {
  const { image, status } = view;
  const { heading, tone, content } = guestHelp(view);
  return layout({
    title: heading,
    tone,
    isLive: true,
    place,
    content: qrRegions({
      now: html`<h1>${heading}</h1>${content}`,
      code: image === null ? null : codeImage(image, null),
      hasQr: image !== null,
      state: status.state,
      where: isLinkedState(status.state) ? unlinkHint : image === null ? scanHint : null,
    }),
  });
}

function guestHelp(view: QrPageView): StateHelp {
  const { status, heartbeat, start, image, pairingCode } = view;
  if (start !== 'none') return startWaits;
  switch (status.state) {
    case 'qr':
      return pairingCode === null ? codeHelp({ image, pairingCode }) : linkedByCode;
    case 'starting':
      return {
        ...{ heading: 'Starting', tone: 'busy' },
        content: html`<p>Nothing to do: the code appears here within a minute.</p>`,
      };
    case 'passkey_required':
      return guestPasskeyHelp(view);
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
    case 'disconnected':
      return heartbeat === 'ended' ? notStarted : notConnected;
    case 'stopped':
    case 'auth_failure':
      return notStarted;
  }
  return status.state satisfies never;
}

const linkedByCode: StateHelp = {
  heading: 'Linking with a code',
  tone: 'busy',
  content: html`<p>The person who runs this server has asked for a code to type on the phone. The QR comes back here within
three minutes, unless a phone is linked by then.</p>`,
};

const notConnected: StateHelp = {
  heading: 'Not connected',
  tone: 'wait',
  content: html`<p>Nothing to do: the server tries again by itself, and the code appears here.</p>`,
};

const notStarted: StateHelp = {
  heading: 'Not started',
  tone: 'idle',
  content: html`<p>Ask the person who sent you the link to start the login. The code then appears here.</p>`,
};
