import { ZodError } from 'zod';

/** A key has another Redis type than expected. Redis before 7 reports it in the middle of a script's error. */
export function isWrongType(error: unknown): boolean {
  return error instanceof Error && /\bWRONGTYPE\b/.test(error.message);
}

/** Stored data could not be parsed, here or by BullMQ. */
export function isParseError(error: unknown): boolean {
  return error instanceof SyntaxError || error instanceof TypeError || error instanceof ZodError;
}

/** The cause is the stored data, not the availability of Redis: a retry would fail in the same way. */
export function isDataError(error: unknown): boolean {
  return isParseError(error) || isWrongType(error);
}

/** Redis could not increment a value: it is not an integer, or it is the largest one. */
export function isNotInteger(error: unknown): boolean {
  return error instanceof Error && /\bnot an integer\b|\bwould overflow\b/.test(error.message);
}
