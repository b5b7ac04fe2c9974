import { ApiError } from '../../contract/errors.js';

/** Converts any thrown value into an error that the client may see. The message of an unexpected error is only logged. */
export function toApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  return new ApiError('internal_error', 'something unexpected went wrong; see the log', { cause: thrown });
}
