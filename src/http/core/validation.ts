import { z } from 'zod';
import { type BoundName, bounds } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';
import { plainIssue, sentenceOf } from '../../contract/plain-issues.js';

/** Checks of a client's input, and the error that lists every problem. */

/** What is wrong with one field of a request. `path` is `''` for the whole request. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

interface IssuesOptions {
  /** Stands before the issues in the error's sentence. */
  readonly beginning?: string;
  /** The bound that was reached, if that is the problem. */
  readonly bound?: BoundName | undefined;
}

/** In characters. Issues beyond it are only counted in the error's sentence. */
const longestSentence = 240;

/**
 * `invalid_request` with these issues. At most {@link bounds.issues} of them are listed, and each path is cut to
 * {@link bounds.issueText} characters. So the response is small, whatever was sent.
 */
export function invalidRequest(
  issues: readonly Issue[],
  { beginning = '', bound }: IssuesOptions = {},
): ApiError {
  const listed = issues
    .slice(0, bounds.issues)
    .map(({ path, message }) => ({ path: cutShort(path), message }));
  const more = issues.length - listed.length;
  const isCut = listed.some(({ path }, i) => path !== issues[i]?.path);
  const reached = more > 0 ? 'issues' : isCut ? 'issueText' : bound;
  return new ApiError('invalid_request', beginning + summaryOf(listed, issues.length), {
    details: { issues: more > 0 ? [...listed, { path: '', message: `and ${more} more` }] : listed },
    ...(reached === undefined ? {} : { bound: reached }),
  });
}

/** As many of the issues as fit, at least one, and how many more there are. */
function summaryOf(listed: readonly Issue[], count: number): string {
  // The names come from the client, and may have line ends.
  const sentences = listed.map((issue) => sentenceOf(issue).replaceAll(/\s+/g, ' '));
  while (sentences.length > 1 && sentences.join('; ').length > longestSentence) sentences.pop();
  const more = count - sentences.length;
  return [...sentences, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

/** The beginning of a text from a client, to be sent back to it. */
export function cutShort(text: string): string {
  return text.length > bounds.issueText ? `${text.slice(0, bounds.issueText)}…` : text;
}

/** Checks fields against the schema of an operation. Throws `invalid_request` with every problem. */
export function parseInput<Schema extends z.ZodObject>(
  schema: Schema,
  fields: Record<string, unknown>,
): z.infer<Schema> {
  const result = schema.safeParse(fields, { error: plainIssue });
  if (result.success) return result.data;
  throw invalidRequest(
    result.error.issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => ({ path: [...issue.path, key].join('.'), message: 'unknown field' }))
        : [{ path: issue.path.join('.'), message: issue.message }],
    ),
  );
}

/**
 * Turns the text values of a query into fields for the schema. Unknown parameters are dropped. Digits become a number if the
 * schema has an integer there. The schema refuses any other text.
 */
export function queryReader(
  schema: z.ZodObject,
): (query: Readonly<Record<string, string>>) => Record<string, unknown> {
  const integers = integerFields(schema);
  return (query) =>
    Object.fromEntries(
      Object.entries(query)
        .filter(([name]) => Object.hasOwn(schema.shape, name))
        .map(([name, value]) => [name, integers.has(name) && /^\d+$/.test(value) ? Number(value) : value]),
    );
}

function integerFields(schema: z.ZodObject): Set<string> {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'input' });
  return new Set(
    Object.entries(properties)
      .filter(([, property]) => typeof property === 'object' && property.type === 'integer')
      .map(([name]) => name),
  );
}
