import { ApiError } from '../../contract/errors.js';
import type { SessionState } from '../../contract/status.js';
import type { RunView } from '../session/run-view.js';

/** What a session's state means for a command that needs `ready`. */
export type Readiness =
  | { readonly type: 'ready' }
  /** It becomes ready by itself, perhaps only after an outage. */
  | { readonly type: 'coming'; readonly state: SessionState }
  /** It cannot become ready by itself. */
  | { readonly type: 'refused'; readonly error: ApiError };

/** `baseUrl` is for the sentence of a refusal, which says what a person must do. */
export function judgeReadiness(view: RunView, baseUrl: string): Readiness {
  const { heartbeat, job, status } = view;
  const { state } = status;
  // A run is about to start, although the state has no live owner.
  if (heartbeat !== 'live' && (job === 'waiting' || job === 'held')) return { type: 'coming', state };
  switch (state) {
    case 'ready':
      return { type: 'ready' };
    case 'starting':
    case 'authenticated':
      return { type: 'coming', state };
    case 'disconnected':
      if (heartbeat === 'live') return { type: 'coming', state };
      return { type: 'refused', error: heartbeat === 'ended' ? loginFailed(view) : notStarted() };
    case 'auth_failure':
      return { type: 'refused', error: loginFailed(view) };
    case 'qr':
      return {
        type: 'refused',
        error: new ApiError('login_required', `no phone is linked; scan the QR at ${baseUrl}/qr first`),
      };
    case 'passkey_required':
      return { type: 'refused', error: passkeyRequired(baseUrl) };
    case 'stopped':
      return { type: 'refused', error: notStarted() };
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

function passkeyRequired(baseUrl: string): ApiError {
  return new ApiError(
    'login_required',
    `no phone is linked: WhatsApp asks the person for a passkey, which cannot be given here; ${baseUrl}/qr says what to do`,
  );
}

function notStarted(): ApiError {
  return new ApiError('session_not_started', 'the session is not started; POST /api/auth/start first');
}

function loginFailed({ status }: RunView): ApiError {
  const reason = status.last_error ?? 'the run ended without a reason';
  return new ApiError('login_failed', `${reason}; POST /api/auth/start tries again`);
}
