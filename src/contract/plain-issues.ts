import type { z } from 'zod';

/** What zod calls a type, in plain words. */
const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
  null: 'null',
};

/**
 * The message of each problem for which a schema has no sentence of its own. It says what is allowed, and follows the name of the
 * field: `must be text`. Pass it as `error` when you parse what a person or a client has written.
 */
export const plainIssue: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type': {
      const rule = `must be ${kinds[issue.expected] ?? `of the type ${issue.expected}`}`;
      return issue.input === undefined ? `is missing; it ${rule}` : rule;
    }
    case 'too_small':
      return sizeRule(issue.origin, issue.inclusive === false ? 'more than' : 'at least', issue.minimum);
    case 'too_big':
      return sizeRule(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum);
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
    case 'invalid_format':
      return `must have the format ${issue.format}`;
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'unrecognized_keys':
      return `has no field ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}`;
    case 'invalid_key':
      return 'has a key that is not allowed';
    case 'invalid_element':
      return 'has an item that is not allowed';
    case 'invalid_union':
      return 'has none of the allowed forms';
    case 'custom':
      return 'is not allowed';
    default:
      return issue satisfies never;
  }
};

function sizeRule(origin: string, comparison: string, bound: unknown): string {
  const items = { string: 'characters', array: 'items', set: 'items', map: 'items' }[origin];
  return items === undefined ? `must be ${comparison} ${bound}` : `must have ${comparison} ${bound} ${items}`;
}

/** A problem of one field as a sentence. `path` is `''` for the whole. Many messages begin with the name of their field already. */
export function sentenceOf({ path, message }: { readonly path: string; readonly message: string }): string {
  if (path === '' || message === path || message.startsWith(`${path} `)) return message;
  return /^(must|is|has) /.test(message) ? `${path} ${message}` : `${path}: ${message}`;
}
