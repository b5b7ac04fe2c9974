import { ZodError } from 'zod';

/** A key is of another type than it is for. Redis before 7 tells it in the middle of what a script failed of. */
export function isWrongType(error: unknown): boolean {
  return error instanceof Error && /\bWRONGTYPE\b/.test(error.message);
}

/** What was read could not be parsed, here or by BullMQ. */
export function isUnparsed(error: unknown): boolean {
  return error instanceof SyntaxError || error instanceof TypeError || error instanceof ZodError;
}

/** It is what stands in Redis that is odd, not Redis that refuses: the same will be so the next time. */
export function isAboutData(error: unknown): boolean {
  return isUnparsed(error) || isWrongType(error);
}

/** Redis was to count on from what is no number, or the last one. */
export function isNoNumber(error: unknown): boolean {
  return error instanceof Error && /\bnot an integer\b|\bwould overflow\b/.test(error.message);
}

/** undefined: it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
