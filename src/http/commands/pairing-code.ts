import { type InputOf, type OutputOf, operations } from '../../contract/operations.js';
import { startSession } from '../session/start-session.js';
import type { CommandCall, SessionCommandContext } from './command-context.js';
import { answerOf, ask, type PendingRead } from './pending-read.js';
import { questionOf, unanswered } from './read.js';
import { judgeReadiness } from './readiness.js';

const instructions = 'WhatsApp -> Linked devices -> Link a device -> Link with phone number instead';

/**
 * Gets a code that links the phone. Starts a stopped session, and waits until a phone can be linked. Throws the same errors as
 * {@link readSession}, except `login_required` in the state `qr`: this operation needs that state.
 */
export async function pairingCode(
  context: SessionCommandContext,
  input: InputOf<'pairingCode'>,
  call: CommandCall,
): Promise<OutputOf<'pairingCode'>> {
  const { run } = context;
  const deadline = performance.now() + call.waitMs;
  let hasStarted = false;
  let pending: PendingRead | null = null;
  try {
    for (;;) {
      const [view, outcome] = await Promise.all([run.readView(), pending?.outcome() ?? null]);
      if (outcome !== null) {
        const { code } = operations.pairingCode.answer.parse(answerOf('pairingCode', outcome));
        return { already_authenticated: false, phone_number: input.phone_number, code, instructions };
      }
      const readiness = judgeReadiness(view, call.baseUrl);
      if (readiness.type === 'ready') return { already_authenticated: true, code: null, status: view.status };
      const refusal = readiness.type === 'refused' ? readiness.error.code : null;
      if (refusal === 'session_not_started' && !hasStarted) {
        hasStarted = true;
        await startSession(run, { waitMs: deadline - performance.now(), signal: call.signal });
        continue;
      }
      // Not in `passkey_required`: a new code would end the login that waits for the passkey.
      if (view.status.state === 'qr' && refusal === 'login_required') {
        pending ??= await ask(context, questionOf('pairingCode', input, call));
      } else if (readiness.type === 'refused') throw readiness.error;
      if (performance.now() >= deadline || call.signal.aborted) throw unanswered(readiness);
      await run.untilNextRead(call.signal);
    }
  } finally {
    pending?.discard();
  }
}
