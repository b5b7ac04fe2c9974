import { type InputOf, type OutputOf, operations } from '../../contract/operations.js';
import { passkeyAnswerTtlMs } from '../../contract/passkey.js';
import type { CommandCall, SessionCommandContext } from './command-context.js';
import { readSession } from './read.js';
import { judgeReadiness, notReadyInTime } from './readiness.js';

/** Gives an owner's answer to the session worker. The command has only its token. Throws the same errors as {@link readSession}. */
export async function answerPasskey(
  context: SessionCommandContext,
  { id, credential }: InputOf<'passkeyAnswer'>,
  call: CommandCall,
): Promise<OutputOf<'passkeyAnswer'>> {
  const { needs } = operations.passkeyAnswer;
  const readiness = judgeReadiness(await context.run.readView(), call, needs);
  // Then nobody would take it.
  if (readiness.type === 'refused') throw readiness.error;
  if (readiness.type === 'coming') throw notReadyInTime(readiness.state);
  const token = await context.putPasskeyAnswer(credential);
  // After that the answer is gone.
  const waitMs = Math.min(call.waitMs, passkeyAnswerTtlMs);
  return readSession(context, 'passkeyAnswer', { id, token }, { ...call, waitMs });
}
