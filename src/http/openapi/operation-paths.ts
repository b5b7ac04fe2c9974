import { hasBody, refusalsOf, takesWait } from '../../contract/operations/operation.js';
import { isOfDeployment, type Operation, rows } from '../../contract/operations.js';
import { bodyLimits } from '../core/body.js';
import type { JsonObject } from '../core/route-doc.js';
import { bodyBoundOf } from '../operations/rest.js';
import { errorCodesOf, errorResponses, type HeadersOfCodes } from './errors.js';
import { type HeaderName, headerRefs } from './headers.js';
import { inputSchema, queuedExample, queuedSchema, refOf } from './schemas.js';
import { securityOf } from './security.js';

/** Path items by path, each with its methods. */
export type Paths = Record<string, Record<string, JsonObject>>;

/** The path items of the table of operations. */
export function operationPaths(): Paths {
  const paths: Paths = {};
  for (const [name, operation] of rows) {
    operation.routes.forEach(({ method, path, operationId = name }) => {
      const item = describe(operation, method, path, operationId, !isOfDeployment(name));
      paths[path] = { ...paths[path], [method.toLowerCase()]: item };
    });
  }
  return paths;
}

function describe(
  operation: Operation,
  method: string,
  path: string,
  operationId: string,
  isOfSession: boolean,
): JsonObject {
  const parameters = [...parametersOf(operation, method, path), ...headerParametersOf(operation)];
  const body = hasBody(method) ? bodyOf(operation, path) : null;
  const codes = errorCodesOf(operation, method, isOfSession);
  return {
    operationId,
    tags: [operation.tag],
    summary: operation.summary,
    description: [operation.description, operation.httpNote, `Scope: \`${operation.scope}\`.`]
      .filter(Boolean)
      .join(' '),
    security: securityOf(operation.scope),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body === null ? {} : { requestBody: body }),
    responses: { ...successesOf(operation), ...errorResponses(codes, headersOfRefusals(operation), method) },
  };
}

/** What was preferred and replayed is told with a failure too, once the input is accepted. */
function headersOfRefusals(operation: Operation): HeadersOfCodes {
  return {
    codes: [...refusalsOf(operation), 'unauthorized', 'redis_unavailable', 'internal_error'],
    headers: resultHeadersOf(operation),
  };
}

function resultHeadersOf(operation: Operation): HeaderName[] {
  return [
    ...(takesWait(operation) ? (['PreferenceApplied'] as const) : []),
    ...(operation.delivery === 'once' ? (['IdempotentReplayed'] as const) : []),
  ];
}

interface InputShape {
  readonly properties?: Record<string, JsonObject>;
  readonly required?: readonly string[];
  /** Sets of fields. The input must have exactly one of them. */
  readonly oneOf?: readonly unknown[];
}

function parametersOf({ input, example }: Operation, method: string, path: string): JsonObject[] {
  const { properties = {}, required = [] } = inputSchema(input) as InputShape;
  const given = example.input as Readonly<Record<string, unknown>>;
  return Object.entries(properties).flatMap(([field, { description, ...schema }]) => {
    const isInPath = isNamed(path, field);
    if (!isInPath && hasBody(method)) return [];
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

function isNamed(path: string, field: string): boolean {
  return path.includes(`{${field}}`);
}

/** The body has the fields that the path does not name; null: there are none. */
function bodyOf(operation: Operation, path: string): JsonObject | null {
  const whole = inputSchema(operation.input) as InputShape;
  const isInBody = (field: string) => !isNamed(path, field);
  const properties = pick(whole.properties ?? {}, isInBody);
  if (Object.keys(properties).length === 0) return null;
  const required = (whole.required ?? []).filter(isInBody);
  const schema = { ...whole, properties, ...(whole.required === undefined ? {} : { required }) };
  const content = { 'application/json': { schema, example: pick(operation.example.input, isInBody) } };
  const description = bodyLimits(bodyBoundOf(operation));
  return { description, required: required.length > 0 || whole.oneOf !== undefined, content };
}

function pick<T>(
  fields: Readonly<Record<string, T>>,
  isWanted: (name: string) => boolean,
): Record<string, T> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => isWanted(name)));
}

function headerParametersOf(operation: Operation): JsonObject[] {
  const refs = [
    ...(takesWait(operation) ? ['Prefer'] : []),
    ...(operation.delivery === 'once' ? ['IdempotencyKey'] : []),
    'RequestId',
  ];
  return refs.map((ref) => ({ $ref: `#/components/parameters/${ref}` }));
}

function successesOf(operation: Operation): Record<string, JsonObject> {
  const { output, delivery, summary, status = 200, mayCreate } = operation;
  const headers: HeaderName[] = ['RequestId', ...resultHeadersOf(operation)];
  const example = { ...(operation.example.output as JsonObject) };
  const found = success(summary, headers, refOf(output), example);
  if (delivery !== 'once') return mayCreate ? { [status]: found, 201: found } : { [status]: found };
  return {
    200: success('WhatsApp has the message', headers, refOf(output), example),
    202: success(
      'The message is accepted and will be sent. The job has its outcome.',
      [...headers, 'Location', 'RetryAfter'],
      refOf(queuedSchema),
      queuedExample,
    ),
  };
}

function success(
  description: string,
  headers: readonly HeaderName[],
  schema: JsonObject,
  example: JsonObject,
): JsonObject {
  return {
    description,
    headers: headerRefs(headers),
    content: { 'application/json': { schema, example } },
  };
}
