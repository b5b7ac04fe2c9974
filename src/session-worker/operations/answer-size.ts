import { bounds, type OnBound } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';
import { cutDeep, cutText, jsonBytes } from '../../contract/json-size.js';

/**
 * The answer to a read within its bound. Where it is longer, the bodies of the longest messages in it are cut, as far as it takes,
 * and say so: whoever asks for 100 messages gets 100. Throws where that is not enough.
 */
export function boundAnswer(output: unknown, onBound: OnBound): unknown {
  if (jsonBytes(output) <= bounds.readAnswer) return output;
  onBound('readAnswer');
  for (let most = longestBody; most >= shortestBody; most /= 2) {
    const shorter = withShortBodies(output, most);
    if (jsonBytes(shorter) <= bounds.readAnswer) return shorter;
  }
  const least = cutDeep(withShortBodies(output, shortestBody), shortestBody, mostItems);
  if (jsonBytes(least) <= bounds.readAnswer) return least;
  throw new ApiError(
    'whatsapp_error',
    `WhatsApp Web answered more than the ${bounds.readAnswer} bytes that an answer may have; ask for less (limit)`,
  );
}

/** In bytes. */
const longestBody = 131_072;
const shortestBody = 1_024;

/** As many as a caller can ask for. */
const mostItems = 100;

/** Of every message in it, wherever it stands. */
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
