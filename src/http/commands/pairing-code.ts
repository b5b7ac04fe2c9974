import { type InputOf, type OutputOf, operations } from '../../contract/operations.js';
import { startSession } from '../session/start-session.js';
import type { CommandCall, SessionCommandContext } from './command-context.js';
import { ask, type PendingRead, parseAnswer } from './pending-read.js';
import { questionOf, unanswered } from './read.js';
import { judgeReadiness } from './readiness.js';

const instructions = 'WhatsApp -> Linked devices -> Link a device -> Link with phone number instead';

/**
 * Gets a code that links the phone. Starts a stopped session, and waits until a phone can be linked. Throws the same errors as
 * {@link readSession}.
 */
export async function pairingCode(
  context: SessionCommandContext,
  input: InputOf<'pairingCode'>,
  call: CommandCall,
): Promise<OutputOf<'pairingCode'>> {
  const { run } = context;
  const { needs, answer } = operations.pairingCode;
  const deadline = performance.now() + call.waitMs;
  let hasStarted = false;
  let pending: PendingRead | null = null;
  try {
    for (;;) {
      const [view, outcome] = await Promise.all([run.readView(), pending?.outcome() ?? null]);
      const readiness = judgeReadiness(view, call, needs);
      if (outcome !== null) {
        const { code, expires_at } = parseAnswer('pairingCode', answer, {
          outcome,
          readiness,
          state: view.status.state,
        });
        run.log.info({ session: run.session, requestId: call.requestId }, 'pairing code made');
        return {
          ...{ already_authenticated: false, phone_number: input.phone_number, code, instructions },
          expires_at,
        };
      }
      if (view.status.ready) return { already_authenticated: true, code: null, status: view.status };
      if (readiness.type === 'refused') {
        if (readiness.error.code !== 'session_not_started' || hasStarted) throw readiness.error;
        hasStarted = true;
        await startSession(run, { waitMs: deadline - performance.now(), signal: call.signal });
        continue;
      }
      if (readiness.type === 'ready') {
        pending ??= await ask(context, questionOf('pairingCode', input, call, view));
      }
      if (performance.now() >= deadline || call.signal.aborted) throw unanswered(readiness);
      await run.untilNextRead(call.signal);
    }
  } finally {
    pending?.discard();
  }
}
