import { HoldlineError } from '../../contract/errors.js';
import type { AgentAnswer } from './in-page/agent.js';

/** What the page threw, in words: its own classes are minified, and say what they mean in their properties. */
class PageError extends HoldlineError {
  constructor(name: string, message: string) {
    // `r: r` says nothing to anybody.
    super('page_error', name.length < 3 || name === 'Error' ? message : `${name}: ${message}`);
  }
}

/** The page is well, but WhatsApp did not answer it in time. */
export class WhatsAppSilentError extends HoldlineError {
  constructor(message: string) {
    super('whatsapp_silent', message, { retryable: true });
  }
}

/** The page has not got what this takes: WhatsApp has changed it. */
export class PageLacksError extends HoldlineError {
  constructor(message: string) {
    super('page_lacks', message);
  }
}

/** The value of an answer; throws what it says instead. */
export function answeredValue(answer: AgentAnswer): unknown {
  switch (answer.type) {
    case 'value':
      return answer.value;
    case 'error':
      if (answer.kind === 'silent') throw new WhatsAppSilentError(answer.message);
      if (answer.kind === 'lacking') throw new PageLacksError(answer.message);
      throw new PageError(answer.name, answer.message);
    case 'absent':
      throw new Error('the page has loaded anew: its context was destroyed');
    default:
      return answer satisfies never;
  }
}
