import { type PasskeyStatus, passkeyRetriesMax } from '../contract/passkey.js';

/** What the ceremony says: in `last_error`, in `passkey.problem` and in refusals. */

/** `page`: the path of the operator's page of the session. */
export const required = (page: string) =>
  `WhatsApp asks for the passkey of this account's owner before it links; the page ${page} says how to give it`;
export const off =
  "WhatsApp asks for the passkey of this account's owner before it links; WHATSAPP_PASSKEY=off forbids to give it here";
export const given = 'the passkey was given, and WhatsApp goes on with the phone; keep WhatsApp open there';
export const compare = (page: string) =>
  `WhatsApp wants a person to compare a code with the phone; the page ${page} shows it`;
export const notKnown = 'WhatsApp asks for a passkey in a way that is not known';
export const failed = (problem: string, page: string) =>
  `linking with the passkey failed: ${problem}; the page ${page} says what to do`;

export const notAskedAgain = "WhatsApp's page did not ask for the passkey again; cancel, and scan again";
export const tooManyRetries = `more than ${passkeyRetriesMax} retries for one scan; cancel, and scan again`;
export const notRequested = 'there is no request for a passkey that can be answered';
export const notArrived = 'the answer did not arrive in time; send it again';
export const noCode = "WhatsApp's page shows no code yet; if it stays so, cancel, and scan again";
export const expired = 'nobody used the passkey in time';
export const pageGaveUp = "WhatsApp's page no longer waits for the passkey";
export const abandoned = 'nobody went on in time';

/** For `last_error` in the state `qr`, after a request that did not link. */
export const scanAgain = (why: string) => `linking with a passkey did not succeed: ${why}; scan again`;
export const interrupted = 'the session restarted meanwhile';
export const reloaded = "WhatsApp's page was loaded again";
export const cancelled = 'it was cancelled';
export const closed = 'WhatsApp or a person closed the request';

/** Why a step failed. `reason`: the page's own, if it gave one. */
export function ofStep(step: PasskeyStatus['step'], reason: string | null): string {
  const why = {
    answer: 'WhatsApp did not ask for the passkey',
    phone: reason === 'timeout' ? 'the phone did not go on in time' : 'WhatsApp did not accept the passkey',
    code: reason === 'timeout' ? 'nobody confirmed the code in time' : 'WhatsApp did not accept the code',
    linking: 'WhatsApp did not finish linking',
    failed: 'WhatsApp did not ask for the passkey again',
  }[step];
  return reason === null || reason === 'timeout' ? why : `${why} (its reason: ${reason})`;
}

/** Why a call does not fit. */
export function notThisStep(step: PasskeyStatus['step']): string {
  return {
    answer: 'WhatsApp waits for the answer now',
    phone: 'the answer was given already; WhatsApp goes on with the phone',
    code: 'the answer was given already; WhatsApp waits for the code to be confirmed',
    linking: 'the answer was given already; WhatsApp links the account',
    failed: 'the request has failed; retry or cancel it',
  }[step];
}
