import type { z } from 'zod';
import { ApiError } from '../../contract/errors.js';

/** Checks fields against a schema of the operations table. Throws `invalid_request` with every problem. */
export function parseInput<Schema extends z.ZodObject>(
  schema: Schema,
  fields: Record<string, unknown>,
): z.infer<Schema> {
  const result = schema.safeParse(fields);
  if (result.success) return result.data;
  const issues = result.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ path: [...issue.path, key].join('.'), message: 'unknown field' }))
      : [{ path: issue.path.join('.'), message: issue.message }],
  );
  const first = issues[0];
  throw new ApiError(
    'invalid_request',
    first?.path ? `${first.path}: ${first.message}` : (first?.message ?? 'the input is not valid'),
    { details: { issues } },
  );
}

/** Of a query only the fields that the schema knows; the rest is ignored. */
export function knownFields(
  schema: z.ZodObject,
  query: Readonly<Record<string, string>>,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(query).filter(([name]) => Object.hasOwn(schema.shape, name)));
}
