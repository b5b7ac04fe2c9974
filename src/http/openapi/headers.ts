import type { JsonObject } from '../core/route-doc.js';
import { queuedExample } from './schemas.js';

/** The headers of responses, as components of the OpenAPI document. */

const text = { type: 'string' };

export const headers = {
  RequestId: { description: 'the id that the caller sent, or a new one', schema: text },
  PreferenceApplied: {
    description: 'the parts of `Prefer` that were used; absent if none was',
    schema: text,
    example: 'wait=10',
  },
  Location: { description: 'the URL of the job', schema: text, example: queuedExample.url },
  Challenge: { description: 'how to authenticate', schema: text, example: 'Bearer realm="holdline"' },
  RetryAfter: {
    description: 'try again after this many seconds',
    schema: { type: 'integer', minimum: 0 },
    example: 2,
  },
  IdempotentReplayed: {
    description: '`true`: this is the outcome of an earlier call with the same key; absent otherwise',
    schema: { const: 'true' },
  },
};

const names = {
  RequestId: 'X-Request-Id',
  PreferenceApplied: 'Preference-Applied',
  Location: 'Location',
  Challenge: 'WWW-Authenticate',
  RetryAfter: 'Retry-After',
  IdempotentReplayed: 'Idempotent-Replayed',
} as const satisfies Record<keyof typeof headers, string>;

export type HeaderName = keyof typeof headers;

/** `headers` of a response: a reference for each. */
export function headerRefs(wanted: readonly HeaderName[]): JsonObject {
  return Object.fromEntries(wanted.map((name) => [names[name], { $ref: `#/components/headers/${name}` }]));
}
