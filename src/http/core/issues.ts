import { type BoundName, bounds } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';

/** What is wrong with one field of a request. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

/**
 * `invalid_request` with these issues, of which there is one at least: so many of them, and so much of each name, that the
 * answer is small whatever was asked. `beginning` stands before the first one's words; without it, its name does. `bound`: the
 * one that was met.
 */
export function invalidRequest(
  issues: readonly Issue[],
  { beginning, bound }: { readonly beginning?: string; readonly bound?: BoundName | undefined } = {},
): ApiError {
  const told = issues.slice(0, bounds.issues).map(({ path, message }) => ({ path: cutShort(path), message }));
  const more = issues.length - told.length;
  const isCut = told.some(({ path }, i) => path !== issues[i]?.path);
  const [first = { path: '', message: 'the input is not valid' }] = told;
  const named = first.path === '' ? first.message : `${first.path}: ${first.message}`;
  const met = more > 0 ? 'issues' : isCut ? 'issueText' : bound;
  return new ApiError('invalid_request', beginning === undefined ? named : `${beginning}${first.message}`, {
    details: { issues: more > 0 ? [...told, { path: '', message: `and ${more} more` }] : told },
    ...(met === undefined ? {} : { bound: met }),
  });
}

/** As much of a text as is told back to whoever sent it. */
export function cutShort(text: string): string {
  return text.length > bounds.issueText ? `${text.slice(0, bounds.issueText)}…` : text;
}
