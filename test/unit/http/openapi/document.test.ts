import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { type ApiErrorCode, httpStatusFor } from '../../../../src/contract/errors.js';
import { operations, rows } from '../../../../src/contract/operations.js';
import { docsAssets } from '../../../../src/http/docs-page.js';
import { openApiDocument } from '../../../../src/http/openapi/document.js';
import { createRoutes, type RouteParts } from '../../../../src/http/routes.js';

interface Item {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security: readonly Readonly<Record<string, string[]>>[];
  readonly parameters?: readonly { readonly $ref?: string; readonly name?: string; readonly in?: string }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: unknown }> };
  readonly responses: Record<
    string,
    { readonly headers?: object; readonly content?: Record<string, { readonly schema: unknown }> }
  >;
}

/** The document after serialization, as a client gets it. */
const served = createRoutes({ handlers: {} } as RouteParts);
const document = JSON.parse(JSON.stringify(openApiDocument(served))) as {
  readonly info: { readonly version: string };
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Record<string, Record<string, Item>>;
  readonly components: { readonly schemas: Record<string, object> };
};
const items = Object.values(document.paths).flatMap((path) =>
  Object.entries(path).map(([method, item]) => ({ ...item, method: method.toUpperCase() })),
);

describe('the OpenAPI document', () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  before(() => void ajv.addSchema({ ...document, $id: 'openapi' }));

  /** Validates a value against a schema of the document. */
  function problems(schema: unknown, value: unknown): unknown[] {
    const text = JSON.stringify(schema).replaceAll('"#/components', '"openapi#/components');
    const validate = ajv.compile(JSON.parse(text));
    return validate(value) ? [] : (validate.errors ?? []);
  }

  it('is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document));
    assert.ok(valid, JSON.stringify(errors));
  });

  for (const [, { routes, summary, input, delivery, status, example }] of rows) {
    for (const { method, path } of routes) {
      it(`describes ${method} ${path}`, () => {
        const item = document.paths[path]?.[method.toLowerCase()];
        assert.ok(item);
        assert.equal(item.summary, summary);
        const body = item.requestBody?.content['application/json']?.schema as
          | { properties?: object }
          | undefined;
        const named = (item.parameters ?? []).flatMap(({ name: field, in: place }) =>
          field && ['query', 'path'].includes(place ?? '') ? [field] : [],
        );
        const fields = [...Object.keys(body?.properties ?? {}), ...named];
        assert.deepEqual(fields.sort(), Object.keys(input.shape).sort(), 'every field of the input');
        const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, field]) => field);
        for (const field of inPath) {
          assert.ok(
            item.parameters?.some((parameter) => parameter.name === field && parameter.in === 'path'),
          );
        }
        assert.equal('202' in item.responses, delivery === 'once' || status === 202);
        const output = item.responses[`${status ?? 200}`]?.content?.['application/json']?.schema;
        assert.deepEqual(problems(output, example.output), []);
      });
    }
  }

  it('has the versions of package.json for itself and the Swagger UI', async () => {
    const file = await readFile(join(import.meta.dirname, '../../../../../package.json'), 'utf8');
    const { version, dependencies } = JSON.parse(file) as {
      version: string;
      dependencies: Record<string, string>;
    };
    assert.equal(document.info.version, version);
    assert.equal(docsAssets[0]?.version, dependencies['swagger-ui-dist']);
  });

  it('has examples that match the schemas of the table of operations', () => {
    for (const [name, { input, output, example }] of rows) {
      assert.ok(input.safeParse(example.input).success, `${name} input`);
      assert.deepEqual(output.parse(example.output), example.output, `${name} output`);
    }
  });

  it('has only examples that match their schema', () => {
    let count = 0;
    for (const { schema, values } of examplesIn(document)) {
      for (const value of values) {
        assert.deepEqual(problems(schema, value), [], JSON.stringify(value));
        count++;
      }
    }
    assert.ok(count > 100, `${count} examples`);
  });

  it('control: an incomplete example does not match', () => {
    const { message: _missing, ...incomplete } = operations.send.example.input;
    const schema = document.paths['/api/send']?.post?.requestBody?.content['application/json']?.schema;
    assert.equal(problems(schema, incomplete).length, 1);
    assert.equal(problems({ $ref: '#/components/schemas/Sent' }, { ok: true }).length, 1);
  });

  for (const [path, other] of [
    ['/api/send', { message: 'x' }],
    ['/api/messages', {}],
  ] as const) {
    it(`requires exactly one recipient of POST ${path}`, () => {
      const body = document.paths[path]?.post?.requestBody as
        | { required: boolean; content: Record<string, { schema: unknown }> }
        | undefined;
      assert.equal(body?.required, true);
      const schema = body?.content['application/json']?.schema;
      const [number, id] = [{ phone_number: '15551234567' }, { chat_id: '1@lid' }];
      for (const one of [number, id]) assert.deepEqual(problems(schema, { ...other, ...one }), []);
      for (const bad of [{}, { ...number, ...id }]) {
        assert.notDeepEqual(problems(schema, { ...other, ...bad }), []);
      }
    });
  }

  it('lists the error codes of each operation', () => {
    const codes = (path: string, method = 'get') => JSON.stringify(document.paths[path]?.[method]);
    for (const [path, method] of [
      ['/api/chats', 'get'],
      ['/api/messages', 'get'],
      ['/api/messages', 'post'],
      ['/api/numbers/{phone_number}', 'get'],
      ['/api/pairing-code', 'post'],
    ] as const) {
      assert.ok(codes(path, method).includes('"not_supported_by_page"'), path);
    }
    assert.ok(!codes('/api/send', 'post').includes('"not_supported_by_page"'));
    assert.ok(codes('/api/jobs/{id}').includes('"job_not_found"'));
    // There a number that is not on WhatsApp is an answer, and there is no job.
    for (const code of ['job_not_found', 'not_on_whatsapp']) {
      assert.ok(!codes('/api/numbers/{phone_number}').includes(`"${code}"`), code);
    }
  });

  // The page /docs relies on it.
  it('refers only to its components', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)].map(([, to]) => to ?? '');
    assert.ok(references.length > 100, `${references.length} references`);
    assert.deepEqual(
      references.filter((to) => !to.startsWith('#/components/')),
      [],
    );
  });

  it('shows the sending of a message first, then the probes, and last the paths of named sessions', () => {
    const [first] = document.tags.flatMap(({ name }) => items.filter(({ tags }) => tags.includes(name)));
    assert.equal(first?.operationId, 'send');
    assert.deepEqual(
      document.tags.slice(-2).map(({ name }) => name),
      ['About', 'Of a named session'],
    );
    for (const path of ['/', '/health', '/livez'])
      assert.deepEqual(document.paths[path]?.get?.tags, ['About']);
  });

  it('knows the answers that only an outage or a slow session has', () => {
    for (const path of ['/api/stop', '/api/logout']) {
      assert.ok(document.paths[path]?.post?.responses['504'], path);
    }
    const closed = items.filter(({ security }) => security.length > 0);
    assert.ok(closed.length > 20);
    for (const { operationId, responses } of closed) {
      assert.ok(JSON.stringify(responses['503']).includes('redis_unavailable'), operationId);
    }
  });

  it('has the headers of each answer', () => {
    for (const { operationId, responses } of items) {
      for (const [status, { headers = {} }] of Object.entries(responses)) {
        const title = `${operationId} ${status}`;
        assert.ok('X-Request-Id' in headers, title);
        assert.equal('WWW-Authenticate' in headers, status === '401', title);
      }
    }
    const { responses } = document.paths['/api/chats']?.get ?? assert.fail();
    for (const status of ['200', '409', '429', '503', '504']) {
      assert.ok('Preference-Applied' in (responses[status]?.headers ?? {}), status);
    }
    assert.ok(!('Preference-Applied' in (responses['403']?.headers ?? {})));
    assert.ok(document.paths['/qr']?.get?.responses['303'], 'a browser without a login');
  });

  it('has no dangling references and no unused components', () => {
    const referred = new Set(JSON.stringify(document).match(/(?<="\$ref":"#\/)[^"]+/g));
    for (const ref of referred) {
      const target = ref
        .split('/')
        .reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], document);
      assert.ok(target, ref);
    }
    // Security schemes are used by name, not by reference.
    const {
      schemas,
      securitySchemes: _,
      ...others
    } = document.components as unknown as Record<string, object>;
    const names = Object.entries({ schemas, ...others }).flatMap(([kind, all = {}]) =>
      Object.keys(all).map((name) => `components/${kind}/${name}`),
    );
    const unused = names.filter((name) => !referred.has(name));
    assert.deepEqual(unused, ['components/schemas/Event'], 'events are described in words');
  });

  it('has unique operation ids that name a method well, and only described tags', () => {
    const ids = items.map(({ operationId }) => operationId);
    assert.equal(new Set(ids).size, ids.length);
    for (const id of ids) assert.match(id, /^[a-z]+([A-Z][a-z]+)*$/);
    assert.equal(document.paths['/api/messages']?.get?.operationId, 'messages');
    assert.equal(document.paths['/api/messages']?.post?.operationId, 'postMessages');
    for (const { tags } of items) {
      for (const tag of tags) assert.ok(document.tags.some(({ name }) => name === tag));
    }
  });

  it('lists each error code under its status', () => {
    for (const { operationId, method, responses } of items) {
      for (const [status, { content }] of Object.entries(responses)) {
        const schema = JSON.stringify(content?.['application/json']?.schema ?? {});
        for (const code of (/"enum":\[([^\]]*)\]/.exec(schema)?.[1] ?? '').matchAll(/"(\w+)"/g)) {
          const expected = httpStatusFor(code[1] as ApiErrorCode, method);
          assert.equal(String(expected), status, `${operationId} ${code[1]}`);
        }
      }
    }
    const send = JSON.stringify(document.paths['/api/send']);
    for (const code of [
      'idempotency_conflict',
      'queue_full',
      'not_on_whatsapp',
      'login_required',
      'timeout',
    ]) {
      assert.ok(send.includes(`"${code}"`), code);
    }
  });
});

/** Every schema that has examples beside it. */
function* examplesIn(node: unknown): Generator<{ schema: unknown; values: unknown[] }> {
  if (typeof node !== 'object' || node === null) return;
  if ('schema' in node) {
    const values = [
      ...('example' in node ? [node.example] : []),
      ...Object.values('examples' in node ? (node.examples as object) : {}).map(({ value }) => value),
    ];
    if (values.length > 0) yield { schema: node.schema, values };
  }
  for (const child of Object.values(node)) yield* examplesIn(child);
}
