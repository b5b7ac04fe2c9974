import { bounds, type OnBound } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';
import { cutDeep, cutText, jsonBytes } from '../../contract/json-size.js';
import { maxLimit } from '../../contract/whatsapp.js';

/**
 * Keeps the answer to a read within its bound. If it is longer, cuts the bodies of the longest messages in it until it fits, and
 * marks them as truncated: a caller that asks for 100 messages gets 100. Throws an {@link ApiError} if that is not enough.
 */
export function boundAnswer(output: unknown, onBound: OnBound): unknown {
  if (jsonBytes(output) <= bounds.readAnswer) return output;
  onBound('readAnswer');
  for (let most = longestBody; most >= shortestBody; most /= 2) {
    const shorter = withShortBodies(output, most);
    if (jsonBytes(shorter) <= bounds.readAnswer) return shorter;
  }
  const least = cutDeep(withShortBodies(output, shortestBody), shortestBody, maxLimit);
  if (jsonBytes(least) <= bounds.readAnswer) return least;
  throw new ApiError(
    'whatsapp_error',
    `WhatsApp Web answered more than the ${bounds.readAnswer} bytes that an answer may have; ask for less (limit)`,
  );
}

/** In bytes. */
const longestBody = 131_072;
const shortestBody = 1_024;

/** Cuts the body of every message in `value`, at any depth. */
function withShortBodies(value: unknown, most: number): unknown {
  if (Array.isArray(value)) return value.map((each) => withShortBodies(each, most));
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, withShortBodies(each, most)]),
  );
  if (typeof fields.body !== 'string') return fields;
  const body = cutText(fields.body, most);
  return body === fields.body ? fields : { ...fields, body, is_truncated: true };
}
