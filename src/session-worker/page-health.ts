import type { IncarnationExit } from '../contract/exit-reasons.js';
import type { PageStatus } from '../contract/page.js';
import type { Logger } from '../platform/logger.js';
import { brokenSentence, describePage } from './page-status.js';
import type { PageExamination } from './whatsapp/in-page/self-test.js';

/** The result of the newest self-test of an incarnation's page. */
export class PageHealth {
  readonly #log: Logger;
  #status: PageStatus | null = null;
  #broken: string | null = null;
  #isTested = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  get status(): PageStatus | null {
    return this.#status;
  }

  /** What does not work in a page that has synced. null: everything that an operation needs works. */
  get broken(): string | null {
    return this.#broken;
  }

  /** Both `send` and `acks` must work: without acknowledgements the outcome of a send is unknown. */
  get canSend(): boolean {
    const { send, acks } = this.#status?.capabilities ?? {};
    return this.#isTested && send !== 'broken' && acks !== 'broken';
  }

  /** Adds what the page lacks to an exit of the reason `incompatible_page`. */
  explain(exit: IncarnationExit): IncarnationExit {
    const problem = this.#broken ?? this.#status?.problem ?? null;
    if (exit.reason !== 'incompatible_page' || problem === null || exit.message.includes(problem))
      return exit;
    return { ...exit, message: `${exit.message}; ${problem}` };
  }

  update(examination: PageExamination, isSynced: boolean): void {
    const status = describePage(examination);
    const { version, capabilities, repairs, problem } = status;
    this.#status = status;
    this.#isTested = isSynced;
    this.#broken = isSynced ? brokenSentence(status, examination.findings) : null;
    for (const { name, reason } of examination.repairs.filter(({ result }) => result === 'failed')) {
      this.#log.warn({ repair: name, reason, version }, 'a page repair failed');
    }
    if (!isSynced) {
      this.#log.info({ version, repairs }, 'page of WhatsApp Web loaded');
    } else if (problem === null) {
      this.#log.info({ version, repairs }, 'page of WhatsApp Web passed the self-test');
    } else {
      const facts = { version, repairs, capabilities, problem };
      this.#log.warn(facts, 'page of WhatsApp Web did not pass the self-test');
    }
  }
}
