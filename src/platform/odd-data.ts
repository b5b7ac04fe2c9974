import { ZodError } from 'zod';

/** A key is of another type than it is for. Redis before 7 tells it in the middle of what a script failed of. */
export function isWrongType(error: unknown): boolean {
  return error instanceof Error && /\bWRONGTYPE\b/.test(error.message);
}

/** It is what stands in Redis that is odd, not Redis that refuses: the same will be so the next time. */
export function isAboutData(error: unknown): boolean {
  const isUnparsed = error instanceof SyntaxError || error instanceof TypeError || error instanceof ZodError;
  return isUnparsed || isWrongType(error);
}

/** undefined: it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
