import { type Account, type Heartbeat, ownerGoneSentence, type Status } from '../../contract/status.js';
import { type Html, html } from './html.js';
import type { Tone } from './layout.js';
import { passkeyHelp, scanSteps } from './qr-parts.js';

/** What a person must know and do in a state. */
export interface StateHelp {
  readonly heading: string;
  readonly tone: Tone;
  readonly content: Html;
}

export interface Situation {
  readonly status: Status;
  readonly heartbeat: Heartbeat;
  readonly hasCode: boolean;
  /** The URL of this server in the commands that are shown. */
  readonly baseUrl: string;
  /** Requests need an API key, and the commands that are shown pass one. */
  readonly needsKey: boolean;
}

type CommandTarget = Pick<Situation, 'baseUrl' | 'needsKey'>;

/** The help for the operator. */
export function helpFor({ status, heartbeat, hasCode, ...target }: Situation): StateHelp {
  const error = errorNote(status.last_error);
  switch (status.state) {
    case 'stopped':
      return {
        heading: 'Not running',
        tone: 'idle',
        content: html`${error}<p>${startHint(status.account)}</p>${startCommand(target)}`,
      };
    case 'starting':
      return {
        heading: status.last_error === null ? 'Starting' : 'Trying again',
        tone: 'busy',
        content: html`${error}<p>WhatsApp Web is starting. Nothing to do: the code, or the finished login,
appears here within a minute.</p>`,
      };
    case 'qr':
      return codeHelp(hasCode);
    case 'passkey_required':
      return {
        heading: 'WhatsApp asks for a passkey',
        tone: 'bad',
        content: html`${error}${passkeyHelp}
<p>For a new code, to link another account or to try again, restart the session:</p>
${commandBlock([curl('/api/stop', target), curl('/api/auth/start', target)])}`,
      };
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
        tone: 'good',
        content: html`${error}<p>${readyHint(status.last_error)} To unlink the phone:</p>
${postCommand('/api/logout', target)}`,
      };
    case 'auth_failure':
      return {
        heading: 'The login failed',
        tone: 'bad',
        content: html`${error}<p>The session does not restart by itself. Start a new login to get a new code:</p>
${startCommand(target)}`,
      };
    case 'disconnected':
      return disconnectedHelp(status, heartbeat, target, error);
  }
  return status.state satisfies never;
}

/** The help in the state `qr`, for operators and guests. */
export function codeHelp(hasCode: boolean): StateHelp {
  return hasCode ? scanCode : awaitCode;
}

const scanCode: StateHelp = { heading: 'Scan this code', tone: 'busy', content: scanSteps };

const awaitCode: StateHelp = {
  heading: 'A fresh code is coming',
  tone: 'busy',
  content: html`<p>Nothing to do: it appears here in a moment.</p>`,
};

function disconnectedHelp(
  status: Status,
  heartbeat: Heartbeat,
  target: CommandTarget,
  error: Html | null,
): StateHelp {
  if (heartbeat === 'ended') {
    return {
      heading: 'The session has given up',
      tone: 'bad',
      content: html`${error}<p>The session does not restart by itself. Look into the reason, then start it again:</p>
${startCommand(target)}`,
    };
  }
  if (heartbeat === null) {
    return {
      heading: 'No supervisor runs the session',
      tone: 'bad',
      content: html`${errorNote(status.last_error ?? ownerGoneSentence)}<p>Another supervisor takes over within seconds,
by itself. If this stays, none is running: start one with</p>
${commandBlock(['npm start -- supervisor'])}`,
    };
  }
  return {
    heading: 'Disconnected',
    tone: 'bad',
    content: html`${error}<p>Nothing to do: the session reconnects by itself, and the login is kept.</p>`,
  };
}

/** What to do in `ready`. With `lastError`, a part of the page does not work. */
function readyHint(lastError: string | null): string {
  return lastError === null
    ? 'Nothing to do: the session is up and stays up.'
    : 'The session is up and stays up. What is named above works again after an update of Holdline.';
}

function startHint(account: Account | null): string {
  return account === null
    ? 'Start the session, and the code to scan appears on this page:'
    : `The phone of ${accountName(account)} stays linked, so no new scan is needed. Start the session:`;
}

function startCommand(target: CommandTarget): Html {
  return postCommand('/api/auth/start', target);
}

function postCommand(path: string, target: CommandTarget): Html {
  return commandBlock([curl(path, target)]);
}

function curl(path: string, { baseUrl, needsKey }: CommandTarget): string {
  const key = needsKey ? ' -H "Authorization: Bearer $KEY"' : '';
  return `curl -X POST ${baseUrl}${path}${key}`;
}

function commandBlock(lines: readonly string[]): Html {
  return html`<pre><code>${lines.join('\n')}</code></pre>`;
}

function errorNote(lastError: string | null): Html | null {
  return lastError === null ? null : html`<p class="why">${lastError}</p>`;
}

function accountName(account: Account | null): string {
  return account?.pushname || phoneNumberOf(account) || 'an unnamed account';
}

/** `+491511234567` of `491511234567@c.us` or `491511234567:12@c.us`. */
export function phoneNumberOf(account: Account | null): string | null {
  const digits = /^(\d+)(?::\d+)?@/.exec(account?.wid ?? '')?.[1];
  return digits === undefined ? null : `+${digits}`;
}
