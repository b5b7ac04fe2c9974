import { z } from 'zod';
import { jobViewSchema, sentSchema } from '../../contract/command-jobs.js';
import { type ApiErrorCode, httpStatusOf } from '../../contract/errors.js';
import { eventSchemas } from '../../contract/events.js';
import { sentJob } from '../../contract/operations/examples.js';
import { rows } from '../../contract/operations.js';
import { pageSchema } from '../../contract/page.js';
import { accountSchema, qrSchema, statusSchema } from '../../contract/status.js';
import { chatSchema, messageSchema, personSchema } from '../../contract/whatsapp.js';
import { jobPath } from '../commands/send-status.js';
import type { JsonObject } from '../core/route-doc.js';

/** The schemas of the contract, as components of the OpenAPI document. */

/** The shape of every error. */
const errorSchema = z.object({
  error: z.looseObject({
    code: z.enum(Object.keys(httpStatusOf) as ApiErrorCode[]).describe('stable; match on this'),
    message: z.string().describe('one sentence for a person'),
    issues: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .describe('with `invalid_request`: every problem of the input'),
    state: z.string().optional().describe('with `session_not_ready`: the state of the session'),
    job_id: z.string().optional().describe('with a send that may have been accepted: the id of its job'),
  }),
});

/** The answer to a send that has not settled. */
export const queuedSchema = jobViewSchema.extend({ url: z.string().describe('the URL of this job') });

/** An example of the answer to a send that has not settled. */
export const queuedExample = {
  ...sentJob,
  status: 'queued',
  attempts: 0,
  result: null,
  url: `http://127.0.0.1:8790${jobPath(sentJob.id)}`,
};

const ofEvent = { session: z.string(), at: z.iso.datetime() };
const gap = {
  oldest_id: z.string().nullable().describe('the oldest event that is kept; null if there is none'),
};

/** `data` of a server-sent event. */
const eventSchema = z.union([
  ...Object.entries(eventSchemas).map(([type, data]) =>
    z.object({ type: z.literal(type), ...ofEvent, data }),
  ),
  z.object({ type: z.literal('gap'), ...ofEvent, data: z.object(gap), ...gap }),
]);

const names = new Map<z.ZodType, string>([
  [statusSchema, 'Status'],
  [qrSchema, 'Qr'],
  [accountSchema, 'Account'],
  [pageSchema, 'Page'],
  [personSchema, 'Person'],
  [chatSchema, 'Chat'],
  [messageSchema, 'Message'],
  [sentSchema, 'Sent'],
  [jobViewSchema, 'Job'],
  [queuedSchema, 'QueuedJob'],
  [errorSchema, 'Error'],
  [eventSchema, 'Event'],
]);
for (const [name, { output }] of rows) {
  if (!names.has(output)) names.set(output, `${name[0]?.toUpperCase()}${name.slice(1)}Result`);
}

const base = '#/components/schemas/';

/** A reference to the component of a schema. Throws if the schema is not a component. */
export function refOf(schema: z.ZodType): JsonObject {
  const name = names.get(schema);
  if (name === undefined) throw new Error('a schema of the API is not a component');
  return { $ref: `${base}${name}` };
}

export const errorRef = refOf(errorSchema);

export function componentSchemas(): Record<string, JsonObject> {
  const registry = z.registry<{ id: string }>();
  for (const [schema, id] of names) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => base + id, override: tidy });
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, withoutIdentity(schema)]));
}

/** The schema of an input. Unlike an output, an input with unknown fields is refused. */
export function inputSchema(input: z.ZodObject): JsonObject {
  return withoutIdentity(z.toJSONSchema(input, { io: 'input', override: keepingStrict }));
}

function withoutIdentity({ $schema: _dialect, $id: _id, ...schema }: JsonObject): JsonObject {
  return schema;
}

/** Removes what only makes the document longer, and `additionalProperties`: answers may gain fields. */
function tidy({ jsonSchema }: { jsonSchema: Record<string, unknown> }): void {
  delete jsonSchema.additionalProperties;
  keepingStrict({ jsonSchema });
}

function keepingStrict({ jsonSchema }: { jsonSchema: Record<string, unknown> }): void {
  if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
}
