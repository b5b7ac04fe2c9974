import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createConfig, lintFromString, type NormalizedProblem } from '@redocly/openapi-core';
import type { JsonObject } from '../../../../src/http/core/route-doc.js';
import { openApiDocument } from '../../../../src/http/openapi/document.js';
import { createRoutes, type RouteParts } from '../../../../src/http/routes.js';

const error = 'error' as const;

/** The strictest rules of the linter, and more of its optional ones. */
const rules = {
  ...{ 'operation-description': error, 'parameter-description': error, 'operation-singular-tag': error },
  ...{ 'no-duplicated-tag-names': error, 'spec-strict-refs': error, 'no-schema-type-mismatch': error },
  ...{ 'no-required-schema-properties-undefined': error, 'no-http-verbs-in-paths': error },
  'response-contains-header': {
    severity: error,
    names: Object.fromEntries(
      ['200', '202', '303', '4XX', '5XX'].map((status) => [status, ['X-Request-Id']]),
    ),
  },
  // The schema of an error allows further fields. The rule would close each schema that an example has.
  'no-invalid-media-type-examples': { severity: error, allowAdditionalProperties: true },
  // A form of a page answers 303, and nothing else that is a success.
  'operation-2xx-response': 'off',
  // `Event` is one line of the stream of events. OpenAPI 3.1 cannot refer to it from there.
  'no-unused-components': 'off',
} as const;

async function lint(document: JsonObject): Promise<NormalizedProblem[]> {
  const config = await createConfig({ extends: ['recommended-strict'], rules });
  const served = { ...document, servers: [{ url: 'http://gateway.lan:8790' }] };
  return lintFromString({ source: JSON.stringify(served), absoluteRef: '/openapi.json', config });
}

describe('a strict linter', () => {
  const document = openApiDocument(createRoutes({ handlers: {} } as RouteParts));

  it('finds nothing in the OpenAPI document', async () => {
    const problems = await lint(document);
    assert.deepEqual(
      problems.map(({ ruleId, message, location }) => `${ruleId} at ${location[0]?.pointer}: ${message}`),
      [],
    );
  });

  it('control: finds an operation without an answer, and an example that does not fit', async () => {
    const found = await lint({
      ...document,
      paths: {
        '/x': {
          get: {
            ...{ operationId: 'x', summary: 'x', description: 'x', tags: ['About'], security: [] },
            responses: {
              200: {
                description: 'x',
                content: { 'application/json': { schema: { type: 'string' }, example: 1 } },
              },
            },
          },
        },
      },
    });
    const ids = new Set(found.map(({ ruleId }) => ruleId));
    for (const id of [
      'operation-4xx-response',
      'response-contains-header',
      'no-invalid-media-type-examples',
    ]) {
      assert.ok(ids.has(id), id);
    }
  });
});
