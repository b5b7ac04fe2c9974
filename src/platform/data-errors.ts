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

/** What Redis replies while it cannot serve a command: it may serve the same command later. */
const passingRefusals =
  /^(?:LOADING|READONLY|OOM|MISCONF|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|BUSY|NOREPLICAS|NOAUTH|WRONGPASS|NOPERM|UNBLOCKED)\b/;

/** The error of a command that Redis did not answer, or refused for now, as its client reports it. */
export function isRedisOutage({ name, message }: Error): boolean {
  if (name === 'ReplyError') return passingRefusals.test(message);
  if (name === 'MaxRetriesPerRequestError' || name === 'ClusterAllFailedError') return true;
  return /^(Connection is closed\.|Command timed out|Stream isn't writeable\b)/.test(message);
}

/** Redis could not increment a value: it is not an integer, or it is the largest one. */
export function isNotInteger(error: unknown): boolean {
  return error instanceof Error && /\bnot an integer\b|\bwould overflow\b/.test(error.message);
}
