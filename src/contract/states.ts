import type { SessionState } from './status.js';

/**
 * Which state may follow which. The writer of a state (session worker or supervisor) checks it; a step that
 * the table does not have is logged and not published.
 */
const followers: Readonly<Record<SessionState, readonly SessionState[]>> = {
  stopped: ['starting'],
  starting: ['qr', 'passkey_required', 'authenticated', 'ready', 'auth_failure', 'disconnected', 'stopped'],
  // A new code is `qr` after `qr`.
  qr: ['qr', 'passkey_required', 'authenticated', 'ready', 'auth_failure', 'disconnected', 'stopped'],
  // Back to codes when WhatsApp or the person gave it up.
  passkey_required: ['qr', 'authenticated', 'ready', 'auth_failure', 'disconnected', 'stopped'],
  authenticated: ['ready', 'auth_failure', 'disconnected', 'stopped'],
  // Back to `authenticated` while the page connects and syncs anew by itself.
  ready: ['authenticated', 'disconnected', 'stopped'],
  auth_failure: ['starting', 'stopped'],
  disconnected: ['starting', 'auth_failure', 'stopped', 'disconnected'],
};

export function mayFollow(from: SessionState, to: SessionState): boolean {
  return followers[from].includes(to);
}

/** A start has got somewhere: what `POST /api/auth/start` waits for. */
export function hasGotSomewhere(state: SessionState): boolean {
  return state !== 'starting' && state !== 'stopped';
}
