import { bounds } from '../../contract/bounds.js';
import type { ApiErrorCode } from '../../contract/errors.js';

export type JsonObject = Readonly<Record<string, unknown>>;

/** What the OpenAPI document says of a route. The route itself has the method, the path and the scope. */
export interface RouteDoc {
  readonly operationId: string;
  /** The route's heading in the document. */
  readonly tag: string;
  /** One line. */
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly JsonObject[];
  readonly requestBody?: JsonObject;
  /** By status. An entry replaces the refusals of the same status. */
  readonly responses: Readonly<Record<number, JsonObject>>;
  /** The refusals beyond those of every route. */
  readonly errors?: readonly ApiErrorCode[];
}

export const textSchema: JsonObject = { type: 'string' };

/** The body that an HTML form sends. `exception`: about its length. */
export function formBody(required: readonly string[], properties: JsonObject, exception = ''): JsonObject {
  return {
    description: `At most ${bounds.formBody} bytes${exception}.`,
    required: true,
    content: {
      'application/x-www-form-urlencoded': { schema: { type: 'object', required, properties } },
    },
  };
}

/** A successful response with a body of this content type. */
export function found(type: string, schema: JsonObject, example?: unknown): JsonObject {
  return {
    description: 'Found',
    content: { [type]: { schema, ...(example === undefined ? {} : { example }) } },
  };
}
