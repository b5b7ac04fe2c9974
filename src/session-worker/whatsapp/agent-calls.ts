import type { Page } from 'puppeteer';
import { withDeadline } from '../../platform/deadline.js';
import {
  type AgentFunction,
  type AgentInput,
  type AgentOutput,
  agentCall,
  agentCallWhenReady,
  installAgent,
  pageReport,
} from './in-page/agent.js';
import type { PageReport } from './in-page/linking.js';
import type { AgentAnswer } from './in-page/page-access.js';
import { answeredValue } from './page-errors.js';

/**
 * Calls into the page, each with a deadline. A call rejects with the error that the page threw, with a `DeadlineError` if the
 * page does not answer, and with puppeteer's error if the page goes away.
 */
export class AgentCalls {
  readonly #page: () => Page | null;
  readonly #timeoutMs: number;

  /** `timeoutMs`: the deadline of calls that have none of their own. */
  constructor(page: () => Page | null, timeoutMs: number) {
    this.#page = page;
    this.#timeoutMs = timeoutMs;
  }

  /** Installs the agent. Does nothing in a page that has it already. */
  async install(): Promise<void> {
    await this.evaluate(installAgent);
  }

  /** The page's report, at any stage of the page. null: there is no page yet. */
  async report(): Promise<PageReport | null> {
    if (this.#page() === null) return null;
    return (await this.#answered(pageReport)) as PageReport;
  }

  /** Calls a function of the agent in a page at any stage. */
  async call<Name extends AgentFunction>(
    name: Name,
    input: AgentInput<Name>,
    timeoutMs?: number,
  ): Promise<AgentOutput<Name>> {
    return (await this.#answered(agentCall(name, input), timeoutMs)) as AgentOutput<Name>;
  }

  /** The same for a page that the library has made ready. In any other page it rejects as an interruption. */
  async callWhenReady<Name extends AgentFunction>(
    name: Name,
    input: AgentInput<Name>,
    timeoutMs?: number,
  ): Promise<AgentOutput<Name>> {
    return (await this.#answered(agentCallWhenReady(name, input), timeoutMs)) as AgentOutput<Name>;
  }

  /** The value of an expression in the page. */
  evaluate(expression: string, timeoutMs = this.#timeoutMs): Promise<unknown> {
    const page = this.#page();
    const call =
      page === null ? Promise.reject(new Error('there is no page yet')) : page.evaluate(expression);
    return withDeadline(call, timeoutMs, 'the page');
  }

  /** The value of an answer of the agent. */
  async #answered(expression: string, timeoutMs?: number): Promise<unknown> {
    return answeredValue((await this.evaluate(expression, timeoutMs)) as AgentAnswer);
  }
}
