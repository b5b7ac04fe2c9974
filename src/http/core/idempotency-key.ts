import { ApiError } from '../../contract/errors.js';

const rule = 'must have 1-255 printable ASCII characters';

/** Every `Idempotency-Key` header of a request, which may be none. Throws `invalid_request`. */
export function parseIdempotencyKey(headers: readonly string[]): string | null {
  const [key, ...more] = headers;
  if (key === undefined) return null;
  if (more.length === 0 && /^[ -~]{1,255}$/.test(key)) return key;
  throw new ApiError('invalid_request', `Idempotency-Key: ${rule}`, {
    details: {
      issues: [{ path: 'Idempotency-Key', message: more.length > 0 ? 'given more than once' : rule }],
    },
  });
}
