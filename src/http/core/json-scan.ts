import { bounds } from '../../contract/bounds.js';
import type { ApiError } from '../../contract/errors.js';
import { invalidRequest } from './issues.js';

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const openArray = 0x5b;
const closeArray = 0x5d;
const openObject = 0x7b;
const closeObject = 0x7d;
const lastBlank = 0x20;

/**
 * Throws `invalid_request` for JSON of too many values or levels, before anything is made of it: each value costs the parser and
 * every check after it far more than its bytes do. What is no JSON is left to the parser. Reads each byte once.
 */
export function assertSimpleJson(bytes: Uint8Array): void {
  // The whole is one; then each comma brings one, and so does whatever opens and is not empty.
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

/** Where the quote is that ends it, or the bytes end. */
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
