import { type Account, type Heartbeat, ownerGoneSentence, type Status } from '../../contract/status.js';
import { type Html, html } from './html.js';
import type { Tone } from './layout.js';

/** What a person should know and do in a state. */
export interface StateHelp {
  readonly heading: string;
  readonly tone: Tone;
  readonly content: Html;
}

export interface Situation {
  readonly status: Status;
  readonly heartbeat: Heartbeat;
  readonly hasImage: boolean;
  readonly baseUrl: string;
  /** Requests take an API key, and so do the commands that are shown. */
  readonly needsKey: boolean;
}

export function helpFor({ status, heartbeat, hasImage, ...place }: Situation): StateHelp {
  const why = reason(status.last_error);
  switch (status.state) {
    case 'stopped':
      return {
        heading: 'Not running',
        tone: 'idle',
        content: html`${why}<p>${startHint(status.account)}</p>${startCommand(place)}`,
      };
    case 'starting':
      return {
        heading: status.last_error === null ? 'Starting' : 'Trying again',
        tone: 'busy',
        content: html`${why}<p>WhatsApp Web is being opened. Nothing to do: the code, or the finished login,
appears here within a minute.</p>`,
      };
    case 'qr':
      return hasImage ? scan : freshCode;
    case 'passkey_required':
      return {
        heading: 'WhatsApp asks for a passkey',
        tone: 'bad',
        content: html`${why}${passkeyExplained}
<p>For a new code, to link another account or to try again, start the session anew:</p>
${commands([curl('/api/stop', place), curl('/api/auth/start', place)])}`,
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
        heading: `Linked as ${nameOf(status.account)}`,
        tone: 'good',
        content: html`${why}<p>${upHint(status.last_error)} To unlink the phone:</p>
${post('/api/logout', place)}`,
      };
    case 'auth_failure':
      return {
        heading: 'The login failed',
        tone: 'bad',
        content: html`${why}<p>It is not tried again by itself. Start a new login to get a new code:</p>
${startCommand(place)}`,
      };
    case 'disconnected':
      return disconnected(status, heartbeat, place, why);
  }
  return status.state satisfies never;
}

export const scanSteps = html`<ol>
<li>Open WhatsApp on your phone.</li>
<li>Go to <strong>Settings -> Linked devices -> Link a device</strong>.</li>
<li>Point the phone at this code.</li>
</ol>`;

/** For the person with the phone; it names nothing of the server or the account. */
export const passkeyExplained = html`<p>Before WhatsApp links a device to this account, it wants the passkey of the person who
owns it. A passkey is kept on that person's own phone or computer; the browser on this server does not have it. So this
account cannot be linked here for now.</p>
<ul>
<li>On the phone, do not go on: close what WhatsApp asks there. Nothing has been linked.</li>
<li>Use another account. WhatsApp asks only some of them for a passkey.</li>
<li>Or try again on another day: WhatsApp does not always ask the same accounts.</li>
</ul>`;

const scan: StateHelp = {
  heading: 'Scan this code',
  tone: 'busy',
  content: scanSteps,
};

const freshCode: StateHelp = {
  heading: 'A fresh code is coming',
  tone: 'busy',
  content: html`<p>Nothing to do: it appears here in a moment.</p>`,
};

function disconnected(status: Status, heartbeat: Heartbeat, place: Place, why: Html | null): StateHelp {
  if (heartbeat === 'ended') {
    return {
      heading: 'The session has given up',
      tone: 'bad',
      content: html`${why}<p>It is not tried again by itself. Look into the reason, then start it anew:</p>
${startCommand(place)}`,
    };
  }
  if (heartbeat === null) {
    return {
      heading: 'Nobody runs the session',
      tone: 'bad',
      content: html`${reason(status.last_error ?? ownerGoneSentence)}<p>Another supervisor takes over within seconds,
by itself. If this stays, none is running: start one with</p>
${commands(['npm start -- supervisor'])}`,
    };
  }
  return {
    heading: 'Disconnected',
    tone: 'bad',
    content: html`${why}<p>Nothing to do: it is tried again by itself, and the login is kept.</p>`,
  };
}

/** What a session that is ready still complains about is what WhatsApp changed in its page. */
function upHint(lastError: string | null): string {
  return lastError === null
    ? 'Nothing to do: the session is up and stays up.'
    : 'The session is up and stays up; what is named above works again after an update of Holdline.';
}

function startHint(account: Account | null): string {
  return account === null
    ? 'Start the session, and the code to scan appears on this page:'
    : `The phone of ${nameOf(account)} stays linked, so no new scan is needed. Start the session:`;
}

type Place = Pick<Situation, 'baseUrl' | 'needsKey'>;

function startCommand(place: Place): Html {
  return post('/api/auth/start', place);
}

function post(path: string, place: Place): Html {
  return commands([curl(path, place)]);
}

function curl(path: string, { baseUrl, needsKey }: Place): string {
  const key = needsKey ? ' -H "Authorization: Bearer $KEY"' : '';
  return `curl -X POST ${baseUrl}${path}${key}`;
}

function commands(lines: readonly string[]): Html {
  return html`<pre><code>${lines.join('\n')}</code></pre>`;
}

function reason(lastError: string | null): Html | null {
  return lastError === null ? null : html`<p class="why">${lastError}</p>`;
}

function nameOf(account: Account | null): string {
  return account?.pushname || numberOf(account) || 'an unnamed account';
}

/** `+491511234567` of `491511234567@c.us` or `491511234567:12@c.us`. */
export function numberOf(account: Account | null): string | null {
  const digits = /^(\d+)(?::\d+)?@/.exec(account?.wid ?? '')?.[1];
  return digits === undefined ? null : `+${digits}`;
}
