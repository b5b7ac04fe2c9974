import { type Base, base } from './base.js';
import { type Chats, chats } from './chats.js';
import { type Events, events } from './events.js';
import { type Ids, ids } from './ids.js';
import { type Linking, linking } from './linking.js';
import { type Logout, logout } from './logout.js';
import { type Models, models } from './models.js';
import { type People, people } from './people.js';
import { type Repairs, repairs } from './repairs.js';
import { type SelfTest, selfTest } from './self-test.js';
import { type Sending, sending } from './sending.js';

/**
 * Our code inside WhatsApp Web's page. Each unit of this folder is a function that is sent there as text: it may use its
 * argument and what it declares itself, and nothing else of its file.
 */
export interface PageAgent
  extends Base,
    Ids,
    People,
    Models,
    Repairs,
    SelfTest,
    Linking,
    Logout,
    Chats,
    Sending,
    Events {}

/** What belongs to WhatsApp: any part of it may be missing, of another type or huge, and any access may throw. */
// biome-ignore lint/suspicious/noExplicitAny: the page has no types, and every use of it is guarded.
export type Foreign = any;

const units = [base, ids, people, models, repairs, selfTest, linking, logout, chats, sending, events];

/** Under which the page has the agent. */
const agentName = '__holdline';

/** The functions that Node calls, each with one JSON value; what they give is JSON as well. */
export type AgentFunction = {
  [Name in keyof PageAgent]: PageAgent[Name] extends (input: never) => unknown ? Name : never;
}[keyof PageAgent];

/** How a call into the page went. */
export type AgentAnswer =
  | { readonly type: 'value'; readonly value: unknown }
  | {
      readonly type: 'error';
      /** `silent`: WhatsApp did not answer the page; `lacking`: the page has not got what this takes. */
      readonly kind: 'thrown' | 'silent' | 'lacking';
      readonly name: string;
      readonly message: string;
    }
  /** The page has loaded anew, and is not set up yet. */
  | { readonly type: 'absent' };

/** Installs the agent in a page that has none. */
export const installAgent = `(() => {
  if (window.${agentName} !== undefined) return;
  const agent = { window };
  for (const unit of [${units.map(String).join(',\n')}]) Object.assign(agent, unit(agent));
  Object.defineProperty(window, '${agentName}', { value: agent, configurable: true });
})()`;

/** Asks the page how it is, whether or not the agent is in it yet: a page that hangs while it loads must be noticed too. */
export const pageReport = `window.${agentName} === undefined ? ({
  type: 'value',
  value: {
    socketState: null,
    hasSynced: false,
    isInjected: false,
    hasBegunReadying: false,
    isLoaded: document.readyState === 'complete',
    isLoggedOut: location.search.includes('post_logout=1'),
    asksForPasskey: false,
  },
}) : window.${agentName}.answer('report', null)`;

/** The expression that calls a function of the agent; it settles as an {@link AgentAnswer}. */
export function agentCall(name: AgentFunction, input: unknown): string {
  const text = JSON.stringify(input ?? null);
  return `window.${agentName} === undefined ? { type: 'absent' } : window.${agentName}.answer('${name}', ${text})`;
}
