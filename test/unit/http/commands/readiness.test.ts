import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  composeStatus,
  neverStarted,
  type SessionState,
  sessionStates,
} from '../../../../src/contract/status.js';
import { judgeReadiness } from '../../../../src/http/commands/readiness.js';
import type { RunView } from '../../../../src/http/session/run-view.js';

const facts = neverStarted({ auth_dir: '', chrome_executable: '', headless: true, session: 'default' });

/** The judgement for a session with a live owner: its type, or the code of the refusal. */
function judge(state: SessionState, needs: 'qr' | 'ready'): string {
  const status = composeStatus(facts, { state, lastError: null, account: null }, null);
  const view = { status, heartbeat: 'live', job: 'held' } as RunView;
  const readiness = judgeReadiness(view, { baseUrl: 'http://here', session: 'default' }, needs);
  return readiness.type === 'refused' ? readiness.error.code : readiness.type;
}

function judgements(needs: 'qr' | 'ready'): Record<string, string> {
  return Object.fromEntries(sessionStates.map((state) => [state, judge(state, needs)]));
}

const common = {
  stopped: 'session_not_started',
  starting: 'coming',
  passkey_required: 'login_required',
  authenticated: 'coming',
  auth_failure: 'login_failed',
  disconnected: 'coming',
};

describe('the state of a session', () => {
  it('is judged for an operation that needs a linked phone', () => {
    assert.deepEqual(judgements('ready'), { ...common, qr: 'login_required', ready: 'ready' });
  });

  it('is judged for an operation that needs a phone to link', () => {
    assert.deepEqual(judgements('qr'), { ...common, qr: 'ready', ready: 'session_not_ready' });
  });
});
