import { chatListener } from './chat-listener.js';
import { chats } from './chats.js';
import { contacts } from './contacts.js';
import { descriptions } from './descriptions.js';
import { ids } from './ids.js';
import { linking, reportWithoutAgent } from './linking.js';
import { logout } from './logout.js';
import { nodeChannel } from './node-channel.js';
import { pageAccess } from './page-access.js';
import { passkey } from './passkey.js';
import { passkeyRelay } from './passkey-relay.js';
import { repairs } from './repairs.js';
import { selfTest } from './self-test.js';
import { sending } from './sending.js';

/**
 * The page scripts: our code inside WhatsApp Web's page. Each is a function that is sent there as text. It may use its
 * argument and what it declares itself, and nothing else of its file. It returns functions, which all scripts and Node may
 * call as members of one object, the agent; the type of its argument lists the scripts that it uses. A new function of a
 * script needs no change here; a new script needs its line in this list.
 */
const scripts = [
  pageAccess,
  ids,
  contacts,
  descriptions,
  repairs,
  linking,
  passkey,
  nodeChannel,
  passkeyRelay,
  chatListener,
  logout,
  chats,
  sending,
  selfTest,
] as const;

/** Turns `A | B` into `A & B`: a union of functions takes the intersection of their arguments. */
type Intersection<Union> = (Union extends unknown ? (each: Union) => void : never) extends (
  all: infer All,
) => void
  ? All
  : never;

/** The agent: all functions of all scripts, as their return types say. */
type PageAgent = Intersection<ReturnType<(typeof scripts)[number]>>;

/** The functions that Node may call, each with one JSON value; their results are JSON as well. */
export type AgentFunction = {
  [Name in keyof PageAgent]: PageAgent[Name] extends (input: never) => unknown ? Name : never;
}[keyof PageAgent];

export type AgentInput<Name extends AgentFunction> = Parameters<PageAgent[Name]>[0];

export type AgentOutput<Name extends AgentFunction> = Awaited<ReturnType<PageAgent[Name]>>;

/** The property of the page's `window` that holds the agent. */
const agentName = '__holdline';

/** The parameter's type makes the compiler check that the list has every script that another one uses. */
const scriptTexts = scripts.map((script: (page: PageAgent) => object) => String(script));

/** An expression that installs the agent in a page that does not have it yet. */
export const installAgent = `(() => {
  if (window.${agentName} !== undefined) return;
  const agent = { window };
  for (const script of [${scriptTexts.join(',\n')}]) Object.assign(agent, script(agent));
  Object.defineProperty(window, '${agentName}', { value: agent, configurable: true });
})()`;

/** An expression for the page's report. Works without the agent too, so that a page that hangs while it loads is noticed. */
export const pageReport = `window.${agentName} === undefined
  ? { type: 'value', value: (${reportWithoutAgent})(window) }
  : window.${agentName}.answer('report', null)`;

/** An expression that calls a function of the agent; it settles as an `AgentAnswer` (page-access.ts). */
export function agentCall(name: AgentFunction, input: unknown): string {
  const text = JSON.stringify(input ?? null);
  return `window.${agentName} === undefined ? ${absent} : window.${agentName}.answer('${name}', ${text})`;
}

/**
 * The same for a page that the library has made ready. In any other page it gives `absent`: a page that has just reloaded knows
 * neither its chats nor what it has sent, so its "not found" would be wrong.
 */
export function agentCallWhenReady(name: AgentFunction, input: unknown): string {
  return `typeof window.WWebJS === 'undefined' ? ${absent} : ${agentCall(name, input)}`;
}

const absent = "{ type: 'absent' }";
