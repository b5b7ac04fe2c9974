import { ApiError } from '../../contract/errors.js';
import { pathOfSession, qrPagePath } from '../../contract/names.js';
import type { Operation } from '../../contract/operations.js';
import { noPasskeyAsked } from '../../contract/passkey.js';
import type { SessionState } from '../../contract/status.js';
import type { RunView } from '../session/run-view.js';
import type { CommandCall } from './command-context.js';

/** What a session's state means for a command. */
export type Readiness =
  /** The session is in the state that the command needs. */
  | { readonly type: 'ready' }
  /** It gets there by itself, perhaps only after an outage. */
  | { readonly type: 'coming'; readonly state: SessionState }
  /** It cannot get there by itself. */
  | { readonly type: 'refused'; readonly error: ApiError };

/**
 * `place` is for the sentence of a refusal, which says what a person must do. `needs`: the state that the row of the operation
 * names.
 */
export function judgeReadiness(
  view: RunView,
  place: Pick<CommandCall, 'baseUrl' | 'session'>,
  needs: NonNullable<Operation['needs']>,
): Readiness {
  const { heartbeat, job, status } = view;
  const { state } = status;
  const qrUrl = place.baseUrl + qrPagePath(place.session);
  const start = `POST ${pathOfSession(place.session, '/api/auth/start')}`;
  // A run is about to start, although the state has no live owner.
  if (heartbeat !== 'live' && (job === 'waiting' || job === 'held')) return { type: 'coming', state };
  if (state === needs) return { type: 'ready' };
  if (needs === 'passkey_required')
    return { type: 'refused', error: new ApiError('passkey_not_pending', noPasskeyAsked(state)) };
  switch (state) {
    case 'ready':
      return { type: 'refused', error: linkedAlready() };
    case 'starting':
    case 'authenticated':
      return { type: 'coming', state };
    case 'disconnected':
      if (heartbeat === 'live') return { type: 'coming', state };
      return { type: 'refused', error: heartbeat === 'ended' ? loginFailed(view, start) : notStarted(start) };
    case 'auth_failure':
      return { type: 'refused', error: loginFailed(view, start) };
    case 'qr':
      return {
        type: 'refused',
        error: new ApiError('login_required', `no phone is linked; scan the QR at ${qrUrl} first`),
      };
    // For `needs: 'qr'` too: a new code would end the login that waits for the passkey.
    case 'passkey_required':
      return { type: 'refused', error: passkeyRequired(qrUrl) };
    case 'stopped':
      return { type: 'refused', error: notStarted(start) };
    default:
      return state satisfies never;
  }
}

/** The error for a session that did not become ready in time. */
export function notReadyInTime(state: SessionState): ApiError {
  return new ApiError('session_not_ready', `the session is ${state} and was not ready in time; try again`, {
    details: { state },
    headers: { 'retry-after': '5' },
  });
}

function linkedAlready(): ApiError {
  return new ApiError('session_not_ready', 'a phone is linked already; log out first to link one', {
    details: { state: 'ready' },
  });
}

function passkeyRequired(qrUrl: string): ApiError {
  return new ApiError(
    'login_required',
    `no phone is linked: WhatsApp asks the person for a passkey; ${qrUrl} says how a person gives it`,
  );
}

function notStarted(start: string): ApiError {
  const httpHint = `${start} first`;
  return new ApiError('session_not_started', 'the session is not started', { httpHint });
}

function loginFailed({ status }: RunView, start: string): ApiError {
  const reason = status.last_error ?? 'the run ended without a reason';
  return new ApiError('login_failed', reason, { httpHint: `${start} tries again` });
}
