import { bounds, type OnBound } from '../../contract/bounds.js';
import { ApiError, messageOf } from '../../contract/errors.js';
import { cutText } from '../../contract/json-size.js';
import { mayBeDoneSentence } from '../../contract/operations/operation.js';
import { findWorkerOperation } from '../../contract/operations.js';
import type { PageStatus } from '../../contract/page.js';
import type { FromThread, ToThread } from '../../contract/thread-messages.js';
import { isInterruption } from '../whatsapp/exit-classifier.js';
import { PageLacksError, WhatsAppSilentError } from '../whatsapp/page-errors.js';
import { boundAnswer } from './answer-size.js';
import { messageFunctions } from './messages.js';
import type { CommandParts, OperationFunctions, SendFunctions } from './parts.js';
import { passkeyFunctions } from './passkey.js';
import { sendFunctions } from './sends.js';
import { sessionFunctions } from './session.js';

/** What the session worker can do, by name. If an operation of the table has no function here, that is a type error. */
const functions: OperationFunctions & SendFunctions = {
  ...sessionFunctions,
  ...passkeyFunctions,
  ...messageFunctions,
  ...sendFunctions,
};

/** What a command needs from a session worker whose page is up. */
export interface PageContext extends CommandParts {
  /** What the self-test found; null: it has not run. */
  readonly page: PageStatus | null;
  readonly onBound: OnBound;
}

type Command = Extract<ToThread, { type: 'command' }>;

/** Carries out a command and returns its answer. Never rejects: errors become refusals. `context`: null: there is no page. */
export async function answerCommand(context: PageContext | null, command: Command): Promise<FromThread> {
  const { id, operation: name, input } = command;
  const operation = findWorkerOperation(name);
  const refusal = (code: string, message: string): FromThread => ({
    ...{ type: 'refusal', id, code },
    message: cutText(message, bounds.statusText),
  });
  try {
    if (context === null) throw new ApiError('session_not_ready', 'the session worker has no page yet');
    const needed = operation?.capability;
    if (needed !== undefined && context.page?.capabilities[needed] === 'broken') {
      return refusal('not_supported_by_page', notSupported(context.page.problem ?? needed));
    }
    const run = functions[name] as (parts: CommandParts, input: never) => Promise<unknown>;
    return { type: 'answer', id, output: boundAnswer(await run(context, input as never), context.onBound) };
  } catch (error) {
    if (error instanceof ApiError) return refusal(error.code, error.message);
    if (error instanceof PageLacksError) {
      const version = context?.page?.version ?? 'of an unknown version';
      return refusal('not_supported_by_page', notSupported(`on WhatsApp Web ${version}: ${error.message}`));
    }
    // A page that did not answer may still have acted. A step of a send is not refused: the supervisor finds out what happened.
    if (error instanceof WhatsAppSilentError) {
      const message = `WhatsApp Web: ${error.message}`;
      if (operation === null) return refusal('unanswered', message);
      return refusal(
        'timeout',
        operation.delivery === 'idempotent' ? `${message}; ${mayBeDoneSentence}` : message,
      );
    }
    const code = isInterruption(error) ? 'interrupted' : 'whatsapp_error';
    return refusal(code, `WhatsApp Web failed: ${messageOf(error)}`);
  }
}

function notSupported(why: string): string {
  return `WhatsApp has changed its page, and this cannot be done: ${why}`;
}
