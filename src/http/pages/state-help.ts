import { pathOfSession } from '../../contract/names.js';
import { noRoomSentence, saysFull } from '../../contract/places.js';
import { type Account, ownerGoneSentence, type Status } from '../../contract/status.js';
import { type Html, html } from './html.js';
import type { Tone } from './layout.js';
import { passkeyHelp } from './passkey-help.js';
import { startForm } from './qr-forms.js';
import { scanSteps, typeSteps } from './qr-parts.js';
import type { Situation, StateHelp } from './situation.js';

type CommandTarget = Pick<Situation, 'baseUrl' | 'needsKey' | 'place'>;

/** The help for the operator. */
export function helpFor(situation: Situation): StateHelp {
  const { status, loginLost } = situation;
  if (situation.start === 'waiting')
    return saysFull(status.last_error) ? noRoom(status.last_error) : startWaits;
  if (situation.start === 'unattended') return noSupervisor(null);
  switch (status.state) {
    case 'stopped':
      return {
        heading: 'Not running',
        tone: 'idle',
        content: html`${endNote(situation)}${errorNote(status.last_error, 'bad')}
<p>${startHint(status.account)}</p>${startForm}${inTerminal('/api/auth/start', situation)}`,
      };
    case 'starting':
      return {
        heading: status.last_error === null ? 'Starting' : 'Trying again',
        tone: status.last_error === null ? 'busy' : 'wait',
        content: html`${errorNote(status.last_error, 'wait')}<p>WhatsApp Web is starting. Nothing to do: the code, or the
finished login, appears here within a minute.</p>`,
      };
    case 'qr':
      return codeHelp(situation, html`${lossNote(loginLost)}${errorNote(status.last_error, 'wait')}`);
    case 'passkey_required':
      return passkeyHelp(situation);
    case 'authenticated':
      return {
        heading: 'Linking',
        tone: 'busy',
        content: html`<p>The phone is linked and WhatsApp is loading its chats. Keep the phone online; this takes
from a few seconds to a few minutes.</p>`,
      };
    case 'ready':
      return {
        heading: `Linked as ${accountName(status.account)}`,
        tone: status.last_error === null ? 'good' : 'wait',
        content: html`${errorNote(status.last_error, 'wait')}<p>${readyHint(status.last_error)}</p>`,
      };
    case 'auth_failure':
      return {
        heading: 'The login failed',
        tone: 'bad',
        content: html`${errorNote(status.last_error, 'bad')}<p>The session does not restart by itself. Start a new login to
get a new code:</p>${startForm}${inTerminal('/api/auth/start', situation)}`,
      };
    case 'disconnected':
      return disconnectedHelp(situation);
  }
  return status.state satisfies never;
}

/** The help in the state `qr`, for operators and guests. `why`: why a code is asked for. Guests see no pairing code. */
export function codeHelp(
  { image, pairingCode }: Pick<Situation, 'image' | 'pairingCode'>,
  why: Html | null = null,
): StateHelp {
  if (pairingCode !== null) {
    const content = html`${why}${typeSteps(pairingCode)}`;
    return { heading: 'Enter this code on the phone', tone: 'busy', content };
  }
  if (image !== null) {
    return { heading: 'Scan this code', tone: 'busy', content: html`${why}${scanSteps}` };
  }
  return awaitCode(why);
}

/** Between two codes, and while the page checks the phone that has scanned one. */
function awaitCode(why: Html | null): StateHelp {
  return {
    heading: 'One moment',
    tone: 'busy',
    content: html`${why}<p>Nothing to do: the next code, or the finished login, appears here by itself.</p>`,
  };
}

export const startWaits: StateHelp = {
  heading: 'Starting',
  tone: 'busy',
  content: html`<p>The session starts in a moment. Nothing to do: the code, or the finished login, appears here within a
minute.</p>`,
};

function noRoom(reason: string | null): StateHelp {
  if (reason === noRoomSentence)
    return { heading: 'Waiting for room', tone: 'wait', content: html`${errorNote(reason, 'wait')}` };
  return {
    heading: 'Waiting for room',
    tone: 'wait',
    content: html`${errorNote(reason, 'wait')}<p>The session starts, by itself, as soon as another one ends. Or start another
supervisor, with</p>${commandBlock('npm start -- supervisor')}`,
  };
}

function noSupervisor(error: Html | null): StateHelp {
  return {
    heading: 'No supervisor is running',
    tone: 'bad',
    content: html`${error}<p>The session goes on, by itself, as soon as a supervisor runs. Start one with</p>
${commandBlock('npm start -- supervisor')}`,
  };
}

function disconnectedHelp(situation: Situation): StateHelp {
  const { status, heartbeat, hasSupervisor } = situation;
  if (heartbeat === 'ended') {
    return {
      heading: 'The session has given up',
      tone: 'bad',
      content: html`${errorNote(status.last_error, 'bad')}<p>The session does not restart by itself. Look into the reason,
then start it again:</p>${startForm}${inTerminal('/api/auth/start', situation)}`,
    };
  }
  if (heartbeat === null) {
    const tone = hasSupervisor ? 'wait' : 'bad';
    const error = errorNote(status.last_error ?? ownerGoneSentence, tone);
    if (!hasSupervisor) return noSupervisor(error);
    return {
      heading: 'Another supervisor takes over',
      tone,
      content: html`${error}<p>Nothing to do: this happens within seconds, by itself.</p>`,
    };
  }
  return {
    heading: 'Disconnected',
    tone: 'wait',
    content: html`${errorNote(status.last_error, 'wait')}<p>Nothing to do: ${retryHint(situation)}.</p>`,
  };
}

function retryHint({ status, loginLost }: Situation): string {
  if (loginLost !== null) return 'a new code appears here by itself';
  return status.account === null
    ? 'the session tries again by itself'
    : 'the session reconnects by itself, and the login is kept';
}

/** What to do in `ready`. With `lastError`, a part of the page does not work. */
function readyHint(lastError: string | null): string {
  return lastError === null
    ? 'Nothing to do: the session is up and stays up.'
    : 'The session is up and stays up. What is named above works again after an update of Holdline.';
}

function startHint(account: Account | null): string {
  return account === null
    ? 'Start the session, and the code to scan appears on this page.'
    : `The phone of ${accountName(account)} stays linked, so no new scan is needed. Start the session:`;
}

/** What the last logout did, for a minute after it. */
function endNote({ ended }: Pick<Situation, 'ended'>): Html | null {
  if (ended === null) return null;
  const text = ended.unlinked ? 'Logged out: the phone no longer lists this device.' : ended.reason;
  return text ? html`<p class="why idle">${text}</p>` : null;
}

function lossNote(loginLost: string | null): Html | null {
  return loginLost === null ? null : html`<p class="why wait">Why a new code is needed: ${loginLost}</p>`;
}

/** The same as the button above it, for a program. */
function inTerminal(path: string, { baseUrl, needsKey, place }: CommandTarget): Html {
  const key = needsKey ? ' -H "Authorization: Bearer $KEY"' : '';
  return html`<details><summary>Or in a terminal</summary>
${commandBlock(`curl -X POST ${baseUrl}${pathOfSession(place.session, path)}${key}`)}</details>`;
}

function commandBlock(command: string): Html {
  return html`<pre tabindex="0"><code>${command}</code></pre>`;
}

function errorNote(lastError: string | null, tone: Tone): Html | null {
  return lastError === null ? null : html`<p class="why ${tone}">${lastError}</p>`;
}

function accountName(account: Account | null): string {
  return account?.pushname || phoneNumberOf(account) || 'an unnamed account';
}

/** `+491511234567` of `491511234567@c.us` or `491511234567:12@c.us`. */
export function phoneNumberOf(account: Status['account']): string | null {
  const digits = /^(\d+)(?::\d+)?@/.exec(account?.wid ?? '')?.[1];
  return digits === undefined ? null : `+${digits}`;
}
