import { ZodError } from 'zod';
import { ApiError } from '../../contract/errors.js';

/** Converts any thrown value into an error that the client may see. The message of an unexpected error is only logged. */
export function toApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  const isUnreadableState = thrown instanceof ZodError || thrown instanceof SyntaxError;
  return new ApiError('internal_error', isUnreadableState ? unreadableState : unexpected, { cause: thrown });
}

const unreadableState =
  'the state of this session in Redis cannot be read; a running session writes it again within seconds, otherwise POST /api/auth/start';
const unexpected = 'something unexpected went wrong; see the log';
