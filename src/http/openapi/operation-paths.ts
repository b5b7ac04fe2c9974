import { bounds } from '../../contract/bounds.js';
import { type Operation, type OperationName, operations } from '../../contract/operations.js';
import { type BodyBound, bodyBoundOf } from '../core/body.js';
import { errorCodesOf, errorResponses } from './errors.js';
import { examples, queuedExample } from './examples.js';
import { inputSchema, type JsonObject, queuedSchema, refOf } from './schemas.js';
import { securityOf } from './security.js';

/** Path items by path, each with its methods. */
export type Paths = Record<string, Record<string, JsonObject>>;

/** The table's routes: a new row is in here by being a row. */
export function operationPaths(): Paths {
  const paths: Paths = {};
  for (const name of Object.keys(operations) as OperationName[]) {
    operations[name].routes.forEach(({ method, path }, i) => {
      const item = describe(name, method, path, i === 0 ? name : `${name}${i + 1}`);
      paths[path] = { ...paths[path], [method.toLowerCase()]: item };
    });
  }
  return paths;
}

function describe(name: OperationName, method: string, path: string, operationId: string): JsonObject {
  const operation: Operation = operations[name];
  const parameters = [...parametersOf(name, method, path), ...headerParametersOf(name)];
  const body = method === 'POST' ? bodyOf(name) : null;
  return {
    operationId,
    tags: [isAboutMessages(operation) ? 'Messages' : 'Session'],
    summary: operation.summary,
    description: `${operation.description} Scope: \`${operation.scope}\`.`,
    security: securityOf(operation.scope),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body === null ? {} : { requestBody: body }),
    responses: { ...successesOf(name), ...errorResponses(errorCodesOf(operation, method)) },
  };
}

interface InputShape {
  readonly properties?: Record<string, JsonObject>;
  readonly required?: readonly string[];
  /** Of several sets of fields, one has to be there. */
  readonly oneOf?: readonly unknown[];
}

function parametersOf(name: OperationName, method: string, path: string): JsonObject[] {
  const { properties = {}, required = [] } = inputSchema(operations[name].input) as InputShape;
  const given: Readonly<Record<string, unknown>> = examples[name].input;
  return Object.entries(properties).flatMap(([field, { description, ...schema }]) => {
    const isInPath = path.includes(`{${field}}`);
    if (!isInPath && method !== 'GET') return [];
    return {
      name: field,
      in: isInPath ? 'path' : 'query',
      required: isInPath || required.includes(field),
      ...(description === undefined ? {} : { description }),
      schema,
      example: given[field],
    };
  });
}

function bodyOf(name: OperationName): JsonObject | null {
  const schema = inputSchema(operations[name].input) as InputShape;
  if (Object.keys(schema.properties ?? {}).length === 0) return null;
  const content = { 'application/json': { schema, example: examples[name].input } };
  const description = limitedTo(bodyBoundOf(operations[name]));
  return { description, required: (schema.required ?? []).length > 0 || schema.oneOf !== undefined, content };
}

/** What holds of the JSON of a body. */
export function limitedTo(bound: BodyBound): string {
  return `At most ${bounds[bound]} bytes, with ${bounds.jsonValues} values in ${bounds.jsonDepth} levels.`;
}

function headerParametersOf(name: OperationName): JsonObject[] {
  const refs = [
    ...(isWaiting(name) ? ['Prefer'] : []),
    ...(operations[name].run === 'send' ? ['IdempotencyKey'] : []),
    'RequestId',
  ];
  return refs.map((ref) => ({ $ref: `#/components/parameters/${ref}` }));
}

function successesOf(name: OperationName): Record<string, JsonObject> {
  const { output, run } = operations[name];
  const isSend = run === 'send';
  const headers = ['RequestId', ...(isWaiting(name) ? ['PreferenceApplied'] : [])];
  const done = success('done', [...headers, ...(isSend ? ['IdempotentReplayed'] : [])], refOf(output), {
    ...examples[name].output,
  });
  if (!isSend) return { 200: { ...done, description: operations[name].summary } };
  return {
    200: { ...done, description: 'WhatsApp has the message' },
    202: success(
      'The message is accepted and will be sent: ask the job what became of it.',
      [...headers, 'Location', 'RetryAfter'],
      refOf(queuedSchema),
      queuedExample,
    ),
  };
}

function success(
  description: string,
  headers: readonly string[],
  schema: JsonObject,
  example: JsonObject,
): JsonObject {
  const named = headers.map((name) => [headerNames[name] ?? name, { $ref: `#/components/headers/${name}` }]);
  return {
    description,
    headers: Object.fromEntries(named),
    content: { 'application/json': { schema, example } },
  };
}

const headerNames: Readonly<Record<string, string>> = {
  RequestId: 'X-Request-Id',
  PreferenceApplied: 'Preference-Applied',
  IdempotentReplayed: 'Idempotent-Replayed',
  RetryAfter: 'Retry-After',
};

/** Whether `Prefer: wait` says how long. */
function isWaiting(name: OperationName): boolean {
  return name === 'startAuth' || operations[name].run !== 'http';
}

/** Everything else is about the session as a whole, and asks for nothing, or for the right to link a phone. */
function isAboutMessages({ scope, input }: Operation): boolean {
  return scope !== 'admin' && Object.keys(input.shape).length > 0;
}
