import { bounds } from '../../contract/bounds.js';
import type { ApiError } from '../../contract/errors.js';
import { invalidRequest } from './validation.js';

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const openArray = 0x5b;
const closeArray = 0x5d;
const openObject = 0x7b;
const closeObject = 0x7d;
const lastBlank = 0x20;

/**
 * Throws `invalid_request` for JSON with too many values or levels. It is called before parsing: many small values cost
 * the parser and the later checks more than their bytes suggest. It does not detect invalid JSON. It reads each byte once.
 */
export function assertSimpleJson(bytes: Uint8Array): void {
  // Counts one for the whole, one for each comma, and one for each array or object that is not empty.
  let values = 1;
  let depth = 0;
  let hasOpened = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    if (byte <= lastBlank) continue;
    if (hasOpened && byte !== closeArray && byte !== closeObject) values++;
    hasOpened = false;
    if (byte === quote) i = endOfString(bytes, i);
    else if (byte === comma) values++;
    else if (byte === openArray || byte === openObject) {
      hasOpened = true;
      depth++;
      if (depth > bounds.jsonDepth) throw tooComplex('jsonDepth', `${bounds.jsonDepth} levels`);
    } else if (byte === closeArray || byte === closeObject) depth--;
    if (values > bounds.jsonValues) throw tooComplex('jsonValues', `${bounds.jsonValues} values`);
  }
}

/** Index of the closing quote, or the length of the bytes. */
function endOfString(bytes: Uint8Array, start: number): number {
  for (let i = start + 1; i < bytes.length; i++) {
    if (bytes[i] === backslash) i++;
    else if (bytes[i] === quote) return i;
  }
  return bytes.length;
}

function tooComplex(bound: 'jsonValues' | 'jsonDepth', most: string): ApiError {
  const message = `the JSON of a body may have at most ${most}`;
  return invalidRequest([{ path: '', message }], { bound });
}
