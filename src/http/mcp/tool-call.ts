import type { CallToolResult } from '@modelcontextprotocol/server';
import type { ApiError } from '../../contract/errors.js';
import { defaultSession, qrPagePath } from '../../contract/names.js';
import { isOfDeployment } from '../../contract/operations.js';
import { accessEnded } from '../auth/api-keys.js';
import { authorize, type Caller } from '../core/caller.js';
import type { Exchange } from '../core/exchange.js';
import { Json } from '../core/responses.js';
import { toApiError } from '../core/to-api-error.js';
import { parseInput } from '../core/validation.js';
import {
  type AnyHandler,
  type Call,
  composeCall,
  composeDeploymentCall,
  type DeploymentCall,
  type Handlers,
  refuseIfLoginEnded,
} from '../operations/call.js';
import type { Sessions } from '../sessions.js';
import { failureText } from './error-hints.js';
import { jobHints } from './job-hints.js';
import { tools } from './tools.js';
import { untrustedTextNotice } from './untrusted-text.js';

export interface ToolCall {
  readonly handlers: Handlers;
  readonly exchange: Exchange;
  readonly sessions: Pick<Sessions, 'find'>;
  readonly name: string;
  readonly input: Record<string, unknown>;
}

/** Shorter than the 60 s after which clients time out by default. */
const commandWaitS = 45;

/** Runs the same handler as the REST route. Never throws: a failure becomes a result that an agent can read. */
export async function callTool(
  { handlers, sessions, exchange, name, input }: ToolCall,
  onFailure: (error: ApiError) => void,
): Promise<CallToolResult> {
  const { baseUrl } = exchange.admission;
  let session = defaultSession;
  try {
    const tool = tools.get(name);
    if (tool === undefined) throw new Error(`there is no tool ${name}`);
    const { operation } = tool;
    authorize(exchange.caller, operation);
    if (operation.isLimited) await exchange.countRequest();
    const { idempotency_key = null, ...given } = parseInput(tool.input, input);
    const handler = handlers[tool.name] as AnyHandler;
    const key = idempotency_key as string | null;
    let call: Call | DeploymentCall;
    let fields = given;
    if (isOfDeployment(tool.name)) call = composeDeploymentCall(exchange, operation, key);
    else {
      const { session: named = usualSession(exchange.caller), ...others } = given;
      session = named as string;
      fields = others;
      call = composeCall(exchange, await sessions.find(exchange.caller, session), operation, key);
    }
    const preferredWaitS = call.preferredWaitS ?? (operation.delivery === 'local' ? null : commandWaitS);
    const { body } = await handler(fields as never, { ...call, preferredWaitS });
    refuseIfLoginEnded(exchange, operation);
    return result(indented(body), ...jobHints(body), ...(tool.hasUntrustedText ? [untrustedTextNotice] : []));
  } catch (thrown) {
    const error = exchange.hasLoginEnded ? accessEnded(exchange.caller) : toApiError(thrown);
    onFailure(error);
    return { ...result(failureText(error, baseUrl + qrPagePath(session))), isError: true };
  }
}

/** The session of a call that names none: `default`, or the only one that the key is for. */
function usualSession({ boundTo }: Caller): string {
  const [only, ...others] = boundTo ?? [];
  return only !== undefined && others.length === 0 ? only : defaultSession;
}

/** Also escapes the line ends that JSON does not escape in strings. */
function indented(body: unknown): string {
  const json = JSON.stringify(body instanceof Json ? JSON.parse(body.text) : body, null, 2);
  return json.replaceAll(
    /[\u0085\u2028\u2029]/g,
    (end) => `\\u${end.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function result(...texts: string[]): CallToolResult {
  return { content: texts.map((text) => ({ type: 'text', text })) };
}
