import { isJSONRPCErrorResponse, type JSONRPCMessage } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { parseAs } from '../../contract/json.js';
import { plainIssue, sentenceOf } from '../../contract/plain-issues.js';
import { cutShort } from '../core/validation.js';

const methodNotFound = -32_601;
const invalidParams = -32_602;

/** The error of the library for a message, in plain words: it names the method, or each parameter that does not fit. */
export function plainly(json: unknown, message: JSONRPCMessage): unknown {
  if (!isJSONRPCErrorResponse(json) || !('method' in message)) return json;
  const { error } = json;
  if (error.code === methodNotFound) {
    return { ...json, error: { ...error, message: `Method not found: ${cutShort(message.method)}` } };
  }
  const problems = problemsIn(error.message);
  if (problems === null) return json;
  return { ...json, error: { code: invalidParams, message: `Invalid params: ${problems.join('; ')}` } };
}

/** The library writes the issues of its schema into the message, as JSON. null: there are none. */
function problemsIn(text: string): string[] | null {
  const begin = text.indexOf('[');
  const issues = begin === -1 ? null : parseAs(z.array(issueSchema).min(1), text.slice(begin));
  try {
    return issues?.slice(0, 5).map(sentenceOfIssue) ?? null;
  } catch {
    // They only look like the library's: a client's name of a tool is part of some messages.
    return null;
  }
}

function sentenceOfIssue({ path, message, ...issue }: z.infer<typeof issueSchema>): string {
  // The JSON does not have the input, but the message tells whether there was one.
  const input = message.endsWith('received undefined') ? undefined : null;
  const plain = plainIssue({ ...issue, input } as z.core.$ZodRawIssue);
  return sentenceOf({ path: path.join('.'), message: typeof plain === 'string' ? plain : message });
}

const issueSchema = z.looseObject({
  code: z.string(),
  path: z.array(z.union([z.string(), z.number()])),
  message: z.string(),
});
