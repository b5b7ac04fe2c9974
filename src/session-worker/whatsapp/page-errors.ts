import { HoldlineError } from '../../contract/errors.js';
import type { AgentAnswer } from './in-page/page-access.js';

/** An error that the page threw. */
class PageError extends HoldlineError {
  constructor(name: string, message: string) {
    // Minified names mean nothing.
    super('page_error', name.length < 3 || name === 'Error' ? message : `${name}: ${message}`);
  }
}

/** The page works, but WhatsApp did not answer it in time. */
export class WhatsAppSilentError extends HoldlineError {
  constructor(message: string) {
    super('whatsapp_silent', message);
  }
}

/** The page lacks something that the call needs: WhatsApp has changed it. */
export class PageLacksError extends HoldlineError {
  constructor(message: string) {
    super('page_lacks', message);
  }
}

/** The page has reloaded, and is not set up yet. */
export class PageReloadedError extends HoldlineError {
  constructor() {
    super('page_reloaded', 'the page has reloaded');
  }
}

/** The value of an answer. Throws the error that the answer carries instead. */
export function answeredValue(answer: AgentAnswer): unknown {
  switch (answer.type) {
    case 'value':
      return answer.value;
    case 'error':
      if (answer.kind === 'silent') throw new WhatsAppSilentError(answer.message);
      if (answer.kind === 'lacking') throw new PageLacksError(answer.message);
      throw new PageError(answer.name, answer.message);
    case 'absent':
      throw new PageReloadedError();
    default:
      return answer satisfies never;
  }
}
