import { defaultSession, qrPagePath } from '../../contract/names.js';
import { type PasskeyStatus, passkeyRetriesMax, whatsAppOrigin } from '../../contract/passkey.js';
import { passkeyCommand } from '../../contract/passkey-command.js';
import { type Html, html } from './html.js';
import { passkeyPasteLink, passkeyRetryForm } from './qr-forms.js';
import type { Situation, StateHelp } from './situation.js';

/** Texts of `/qr` in the state `passkey_required`. */

/** The help for the operator, step by step. */
export function passkeyHelp(situation: Situation): StateHelp {
  const { passkey, status, isOperator } = situation;
  if (passkey === null) {
    const heading = 'WhatsApp asks for a passkey';
    return { heading, tone: 'wait', content: html`<p class="why wait">${status.last_error}</p>${ifItStays}` };
  }
  switch (passkey.step) {
    case 'answer':
      return {
        heading: 'Use your passkey',
        tone: 'busy',
        content: isOperator ? answerSteps(situation) : notHere,
      };
    case 'phone':
      return { heading: 'Look at the phone', tone: 'busy', content: phoneText };
    case 'code':
      return { heading: 'Compare the code', tone: 'busy', content: isOperator ? codeText : codeElsewhere };
    case 'linking':
      return { heading: 'Linking', tone: 'busy', content: linkingText };
    case 'failed':
      return {
        heading: 'The passkey did not link the account',
        tone: 'bad',
        content: html`<p class="why bad">${passkey.problem}</p>${isOperator ? whatNow(passkey) : failedElsewhere}`,
      };
  }
  return passkey.step satisfies never;
}

/** The help for a guest: only the operator can go on, and a guest must not get what links the account. */
export function guestPasskeyHelp({ passkey }: Pick<Situation, 'passkey'>): StateHelp {
  switch (passkey?.step) {
    case 'phone':
      return { heading: 'Look at the phone', tone: 'busy', content: phoneText };
    case 'linking':
      return { heading: 'Linking', tone: 'busy', content: linkingText };
    case 'code':
      return guestHelp(html`The passkey was given, and the phone shows a code. It cannot be confirmed on this page: tell the person who runs this
server, who has to compare it with the one that is shown there, and to confirm it. Keep WhatsApp open on the phone meanwhile.`);
    case 'failed':
      return guestHelp(html`That did not succeed, and nothing has been linked. Nothing can be done on this page: tell the person who runs this
server, who has to try again, or to cancel so that a new code appears here. Keep WhatsApp open on the phone meanwhile.`);
    default:
      return guestHelp(html`That cannot be done on this page: tell the person who runs this server, who has to go on. Keep WhatsApp open on the
phone meanwhile.`);
  }
}

function guestHelp(whatNow: Html): StateHelp {
  return {
    heading: 'WhatsApp asks for a passkey',
    tone: 'wait',
    content: html`<p>Before WhatsApp links a device to this account, it wants the passkey of the person who owns it. ${whatNow}</p>
<p>Do not run a command that somebody sends you for this: it can give your account away.</p>`,
  };
}

function answerSteps({ passkey, baseUrl, needsKey, place }: Situation): Html {
  const options = passkey?.options ?? null;
  if (passkey === null || options === null)
    return html`<p>WhatsApp makes its request ready. It appears here by itself.</p>`;
  const { id, code_needed } = passkey;
  const host = new URL(baseUrl).host;
  const later = html`<p>After that, compare a code: this page and the phone will show it.</p>`;
  return html`<p>WhatsApp wants the passkey of this account's owner before it links. A passkey works only on WhatsApp's own site, in
a browser of the owner, and not on this page. Keep WhatsApp open on the phone, and use a computer:</p>
<ol class="steps">
<li><button type="button" class="scripted" data-passkey="copy">Copy the command</button> <span class="unscripted">This browser runs no
JavaScript here: open <a href="qr-form?do=passkey">the page with the command</a>, which does not reload, and copy the command
there.</span></li>
<li><a class="button" href="${whatsAppOrigin}/" target="_blank" rel="opener" data-passkey="open">Open WhatsApp Web</a> in this
browser. Do not scan its code.</li>
<li>There, press <kbd>F12</kbd> and choose <strong>Console</strong>. Paste the command, and press <kbd>Enter</kbd>. Chrome wants
<code>allow pasting</code> to be typed first.</li>
<li>Press <strong>Use my passkey</strong> on that page. Then choose where the passkey is: on this computer, in a password manager,
or on the phone, with Bluetooth on.</li>
</ol>
<p id="passkey-said" class="said" role="status"></p>
<p class="scripted">The answer comes back to this page by itself. ${passkeyPasteLink}</p>
<p class="unscripted">Then copy the answer that is shown there, and paste it into the page with the command.</p>
${code_needed ? later : null}
<p class="why wait">The command lets <strong>${host}</strong> link itself to the WhatsApp account, and read all of it. Use it only if
you have scanned the code yourself just now. Whoever sends such a command to somebody wants their account.</p>
<details><summary>The command, to copy by hand</summary>
<pre tabindex="0" id="passkey-command" data-origin="${new URL(baseUrl).origin}"><code>${passkeyCommand({ id, options, gateway: baseUrl + qrPagePath(place.session) })}</code></pre></details>
${otherWays({ baseUrl, needsKey, place })}
<p class="fine">Linking with a passkey has not been tried with a real account yet.</p>`;
}

function otherWays({ baseUrl, needsKey, place }: Pick<Situation, 'baseUrl' | 'needsKey' | 'place'>): Html {
  const which = place.session === defaultSession ? '' : ` --session ${place.session}`;
  return html`<details><summary>Other ways</summary>
<ul>
<li>Without the console: on your own computer, in a copy of Holdline, run this. It opens a browser with the button.
<pre tabindex="0"><code>${`${needsKey ? 'HOLDLINE_KEY=YOUR_KEY ' : ''}npm run passkey -- --url ${baseUrl}${which}`}</code></pre></li>
<li>Only a phone: its browsers have no console. Use any computer: its browser shows a code for the passkey on the phone.</li>
<li>No passkey found: use the browser in which you made it, such as Safari for iCloud or Chrome for Google.</li>
<li>No passkey at all: WhatsApp on the phone offers to create one.</li>
</ul></details>`;
}

const ifItStays = html`<p>If this stays, nothing has been linked: close the question on the phone, and scan a new code or use another
account. WhatsApp asks only some of them for a passkey.</p>`;

const notHere = html`<p class="why wait">This goes on only on the machine that runs the server, or for a person with an admin key:
without API keys, a passkey is not taken from elsewhere. Set <code>WHATSAPP_API_KEYS</code>, or open this page on that machine. Where
<code>WHATSAPP_PUBLIC_URL</code> is not a loopback URL, keys are needed on that machine too.</p>`;

const phoneText = html`<p>The passkey was given. Keep WhatsApp open on the phone, and confirm there if it asks. Nothing to do here:
this page goes on by itself.</p>`;

const codeText = html`<p>The phone shows a code. Is it this one? If it shows another, cancel: somebody else may be linking.</p>`;

const codeElsewhere = html`<p>The phone shows a code. The operator has to compare it with the one of WhatsApp Web, which this page shows
only to them, and to confirm it.</p>${notHere}`;

function whatNow({ id, attempt }: Pick<PasskeyStatus, 'id' | 'attempt'>): Html {
  if (attempt > passkeyRetriesMax) {
    return html`<p>Nothing has been linked, and it was tried as often as one scan allows. Cancel, and scan a new code.</p>`;
  }
  return html`<p>Nothing has been linked. Try again, with WhatsApp open on the phone; WhatsApp then shows a code to compare. Or
cancel, and scan a new code.</p>
${passkeyRetryForm(id)}`;
}

const failedElsewhere = html`<p>Nothing has been linked. Only the operator can try again. <strong>Back to the QR</strong> gives up this request,
and shows a new code to scan.</p>${notHere}`;

const linkingText = html`<p>Everything is confirmed, and WhatsApp links this device. Nothing to do: keep the phone online.</p>`;
