import { operations } from '../../src/contract/operations.js';
import type { PasskeyOptions, PasskeyStep } from '../../src/contract/passkey.js';
import {
  type Account,
  composeStatus,
  neverStarted,
  type SessionState,
  type Status,
} from '../../src/contract/status.js';
import { Json } from '../../src/http/core/responses.js';
import type { QrPageView } from '../../src/http/session/qr-page-view.js';

const facts = neverStarted({ auth_dir: '', chrome_executable: '', headless: true, session: 'default' });

export const linkedAccount: Account = {
  wid: '491511234567:3@c.us',
  pushname: 'Ada Lovelace',
  platform: 'android',
};

/** What the pages about a session in this state show, without a code. In `stopped` and `auth_failure` the run is over. */
export function qrSituation(state: SessionState, change: Partial<Status> = {}): QrPageView {
  const composed = composeStatus(facts, { state, lastError: null, account: null }, null);
  const isOver = state === 'stopped' || state === 'auth_failure';
  return {
    status: { ...composed, ...change },
    heartbeat: isOver ? 'ended' : 'live',
    json: new Json<Status>(''),
    ...{ image: null, pairingCode: null, passkey: null, loginLost: null },
    ...{ start: 'none', hasSupervisor: true, ended: null },
  };
}

/** The same in the state `qr`, with a code. `image`: base64 of a PNG. */
export function withQr(image: string, number = 2, expires_at: string | null = null): QrPageView {
  const qr: Status['qr'] = { number, issued_at: '2026-01-01T00:00:00.000Z', expires_at };
  return { ...qrSituation('qr', { has_qr: true, qr }), image };
}

/** An open request for a passkey. */
export const askedForPasskey = {
  id: '0c5b8f3e-4d6f-4a1c-9f0e-2f6f5c7d9e11',
  options: operations.passkey.example.output.options as PasskeyOptions,
};

/** WhatsApp asks for a passkey, and the request is at this step. */
export function passkeySituation(
  step: PasskeyStep,
  problem: string | null = null,
  code_needed = step !== 'answer' && step !== 'linking',
  attempt = 1,
): QrPageView {
  const passkey = {
    ...{
      id: askedForPasskey.id,
      step,
      attempt,
      expires_at: '2026-01-01T00:10:00.000Z',
      code_needed,
      problem,
    },
  };
  return {
    ...qrSituation('passkey_required', { passkey, last_error: 'WhatsApp asks for a passkey' }),
    passkey: {
      ...passkey,
      options: step === 'answer' ? askedForPasskey.options : null,
      code: step === 'code' ? 'K7QX2M4P' : null,
    },
  };
}
