import type { SessionState } from './status.js';

/**
 * The state machine of a session: which states may follow each. The writer of a state (session worker or supervisor) checks
 * it, and logs an illegal transition instead of publishing it.
 */
const successors: Readonly<Record<SessionState, readonly SessionState[]>> = {
  stopped: ['starting'],
  starting: ['qr', 'passkey_required', 'authenticated', 'ready', 'auth_failure', 'disconnected', 'stopped'],
  // A new code is `qr` after `qr`.
  qr: ['qr', 'passkey_required', 'authenticated', 'ready', 'auth_failure', 'disconnected', 'stopped'],
  // Each step is `passkey_required` again; back to `qr` if WhatsApp or a person gives the passkey up.
  passkey_required: [
    'passkey_required',
    'qr',
    'authenticated',
    'ready',
    'auth_failure',
    'disconnected',
    'stopped',
  ],
  authenticated: ['ready', 'auth_failure', 'disconnected', 'stopped'],
  // Back to `authenticated` while the page reconnects and syncs by itself; `ready` again for a page that has just reloaded.
  ready: ['ready', 'authenticated', 'disconnected', 'stopped'],
  auth_failure: ['starting', 'stopped'],
  disconnected: ['starting', 'auth_failure', 'stopped', 'disconnected'],
};

export function mayFollow(from: SessionState, to: SessionState): boolean {
  return successors[from].includes(to);
}

/** Whether a start has a first result: `POST /api/auth/start` waits for it. */
export function isStartSettled(state: SessionState): boolean {
  return state !== 'starting' && state !== 'stopped';
}
