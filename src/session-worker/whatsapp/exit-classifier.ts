import { DeadlineError, messageOf } from '../../contract/errors.js';
import type { IncarnationExit } from '../../contract/exit-reasons.js';
import type { LogoutResult } from '../../contract/intent.js';
import { whatsAppHost } from '../../contract/page.js';
import { PageReloadedError } from './page-errors.js';

/** Turns failures of the library and the page into exit reasons, each with a sentence for the operator. */

const networkErrors: Readonly<Record<string, string>> = {
  ERR_NAME_NOT_RESOLVED: 'its name could not be resolved',
  ERR_INTERNET_DISCONNECTED: 'this machine has no network',
  ERR_CONNECTION_REFUSED: 'the connection was refused',
  ERR_CONNECTION_RESET: 'the connection was reset',
  ERR_CONNECTION_CLOSED: 'the connection was closed',
  ERR_CONNECTION_TIMED_OUT: 'the connection timed out',
  ERR_ADDRESS_UNREACHABLE: 'there is no route to it',
  ERR_NETWORK_CHANGED: 'the network changed',
  ERR_PROXY_CONNECTION_FAILED: 'the proxy could not be reached',
  ERR_SOCKS_CONNECTION_FAILED: 'the proxy could not be reached, or could not reach it',
  ERR_TUNNEL_CONNECTION_FAILED: 'the proxy refused the tunnel',
  ERR_INVALID_AUTH_CREDENTIALS: 'the proxy asks for a user name and a password, or refused them',
  ERR_EMPTY_RESPONSE: 'its response was empty',
  ERR_TIMED_OUT: 'it did not answer in time',
};

/**
 * For a rejection of `initialize()`. The library throws bare strings, and puppeteer's errors have no codes. `missingScript`:
 * why a script of the page did not load; null: none is known to be missing.
 */
export function exitOfStart(
  error: unknown,
  isLoggedOut: boolean,
  missingScript: string | null,
): IncarnationExit {
  const message = sentenceOf(error);
  if (isLoggedOut) return exitOfLogout();
  if ((error as { code?: unknown } | null)?.code === 'web_version_missing') {
    return { reason: 'web_version_missing', message };
  }

  const network = /net::(ERR_\w+)/.exec(message)?.[1];
  if (network?.startsWith('ERR_CERT_')) return unreachable(`its certificate was not accepted (${network})`);
  if (network !== undefined && network !== 'ERR_ABORTED') {
    return unreachable(`${networkErrors[network] ?? 'the network failed'} (${network})`);
  }
  // The browser counts a page as loaded even if a script failed.
  if (message === 'auth timeout' && missingScript !== null) {
    return unreachable(`a script of its page did not load (${missingScript})`);
  }
  if (message === 'auth timeout')
    return exitOfIncompatiblePage('it loaded, but window.Debug.VERSION never appeared');
  if (/timed out/i.test(message)) return unreachable(`it did not answer in time (${message})`);
  if (isPageMismatch(message)) return exitOfIncompatiblePage(message);
  return { reason: 'start_failed', message: `WhatsApp Web could not be set up: ${message}` };
}

/** Whether the page threw because it lacks something that was used. */
function isPageMismatch(message: string): boolean {
  return /is not (a function|defined|iterable|a constructor)|Cannot (read|set) propert|unknown module|[Mm]odule .*(not found|missing)|Cannot find module|ready timeout/.test(
    message,
  );
}

/** For an error in the library's steps to `ready`. */
export function exitOfReadySteps(error: unknown): IncarnationExit {
  return exitOfIncompatiblePage(sentenceOf(error));
}

/** A message such as `r`, of a minified class, is wrapped in a sentence. */
function sentenceOf(error: unknown): string {
  const message = messageOf(error);
  return message.length < 4 ? `its page threw an error without a message (${message})` : message;
}

/** `socketState`: the last one that the page reported; null: it never reported one. */
export function exitOfStartDeadline(
  deadlineMs: number,
  isLoaded: boolean,
  socketState: string | null,
): IncarnationExit {
  const seconds = deadlineMs / 1000;
  if (!isLoaded) return unreachable(`it did not answer within ${seconds} s (ERR_TIMED_OUT)`);
  if (socketState === null)
    return { reason: 'start_timed_out', message: `WhatsApp Web did not start within ${seconds} s` };
  return unreachable(`its page loaded but stayed in state ${socketState} for ${seconds} s`);
}

export function exitOfHttpError(status: number): IncarnationExit {
  // Only a proxy answers this.
  if (status === 407) return unreachable(`${networkErrors.ERR_INVALID_AUTH_CREDENTIALS} (HTTP 407)`);
  return unreachable(`it answered HTTP ${status}`);
}

const disconnectReasons: Readonly<Record<string, string>> = {
  CONFLICT: 'another browser took the session over',
  UNPAIRED: 'the device was unlinked',
  UNPAIRED_IDLE: 'the device was unlinked',
  PROXYBLOCK: 'WhatsApp blocks the proxy of this machine',
  TOS_BLOCK: 'WhatsApp blocked the account for a breach of its terms',
  SMB_TOS_BLOCK: 'WhatsApp blocked the business account for a breach of its terms',
  DEPRECATED_VERSION: 'WhatsApp no longer accepts this version of its web page',
};

export function exitOfDisconnect(reason: string): IncarnationExit {
  if (reason === 'LOGOUT') return exitOfLogout();
  const meaning = disconnectReasons[reason];
  return {
    reason: 'whatsapp_disconnected',
    message: `WhatsApp ended the connection: ${meaning === undefined ? reason : `${meaning} (${reason})`}`,
  };
}

export function exitOfLogout(): IncarnationExit {
  return { reason: 'logged_out', message: 'the device was unlinked on the phone; scan a new QR' };
}

/** WhatsApp linked the account although a person had cancelled, and the device was logged out again. */
export function exitOfCancelledLink({ unlinked, reason }: LogoutResult): IncarnationExit {
  const outcome = unlinked ? 'the device was unlinked again' : reason;
  const message = `linking was cancelled when WhatsApp had linked already: ${outcome}; scan a new QR`;
  return { reason: 'logged_out', message };
}

/** The page asks for a login although the profile had one. Had WhatsApp ended it, the page would have reported a logout. */
export function exitOfMissingLogin(): IncarnationExit {
  return {
    reason: 'login_missing',
    message: 'WhatsApp Web asks for a login although this profile was linked: its data may be lost',
  };
}

/** The page navigated during a call. */
export function isNavigation(error: unknown): boolean {
  return error instanceof PageReloadedError || /context was destroyed/i.test(messageOf(error));
}

/** The page navigated, or it was closed, during a call. */
export function isPageGone(error: unknown): boolean {
  return isNavigation(error) || /detached|Target closed/i.test(messageOf(error));
}

/** The page went away or did not answer during a call. It is unknown whether it acted. */
export function isInterruption(error: unknown): boolean {
  if (error instanceof DeadlineError || isPageGone(error)) return true;
  return /Session closed|Connection closed|Protocol error/i.test(messageOf(error));
}

function unreachable(why: string): IncarnationExit {
  return { reason: 'whatsapp_unreachable', message: `${whatsAppHost} cannot be reached: ${why}` };
}

export function exitOfIncompatiblePage(why: string): IncarnationExit {
  return { reason: 'incompatible_page', message: `incompatible WhatsApp Web page: ${why}` };
}
