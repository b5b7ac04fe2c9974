import { z } from 'zod';
import { invalidRequest } from './issues.js';

/** Checks fields against a schema of the operations table. Throws `invalid_request` with its problems. */
export function parseInput<Schema extends z.ZodObject>(
  schema: Schema,
  fields: Record<string, unknown>,
): z.infer<Schema> {
  const result = schema.safeParse(fields);
  if (result.success) return result.data;
  throw invalidRequest(
    result.error.issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => ({ path: [...issue.path, key].join('.'), message: 'unknown field' }))
        : [{ path: issue.path.join('.'), message: issue.message }],
    ),
  );
}

/**
 * Turns a query, all of it text, into fields: only those that the schema knows, the rest is ignored; digits
 * where it wants an integer become one, and anything else is left for the schema to refuse in its own words.
 */
export function queryReader(
  schema: z.ZodObject,
): (query: Readonly<Record<string, string>>) => Record<string, unknown> {
  const integers = integerFields(schema);
  return (query) =>
    Object.fromEntries(
      Object.entries(query)
        .filter(([name]) => Object.hasOwn(schema.shape, name))
        .map(([name, value]) => [name, integers.has(name) && /^\d+$/.test(value) ? Number(value) : value]),
    );
}

function integerFields(schema: z.ZodObject): Set<string> {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'input' });
  return new Set(
    Object.entries(properties)
      .filter(([, property]) => typeof property === 'object' && property.type === 'integer')
      .map(([name]) => name),
  );
}
