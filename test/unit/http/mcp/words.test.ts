import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { ApiError, type ApiErrorCode, httpStatusOf } from '../../../../src/contract/errors.js';
import { failureText } from '../../../../src/http/mcp/error-hints.js';
import { jobHints } from '../../../../src/http/mcp/job-hints.js';
import { toolDefinitions } from '../../../../src/http/mcp/tools.js';
import { queuedSchema } from '../../../../src/http/openapi/schemas.js';

/** An agent has tools. It cannot set a header, call a path or see a status. */
const wordsOfHttp = /Prefer|header|HTTP|\/api\/|\b20[02]\b|POST|GET\b|curl|Idempotency-Key|[{]baseUrl/;
const baseUrl = 'http://127.0.0.1:8790';

/** The only URL that may be told to an agent: a person opens it. */
function assertWithoutHttp(text: string): void {
  assert.doesNotMatch(text.replace(/(http:\/\/127\.0\.0\.1:8790|\$\{baseUrl\})\/qr\b/g, ''), wordsOfHttp);
}

it('the descriptions of the tools and of their arguments have no words of HTTP', () => {
  const tools = toolDefinitions(baseUrl);
  assert.ok(tools.length >= 9);
  for (const tool of tools) assertWithoutHttp(JSON.stringify(tool));
});

it('the hints for errors and jobs have no words of HTTP, and name tools that exist', () => {
  const codes = Object.keys(httpStatusOf) as ApiErrorCode[];
  const failures = codes.map((code) =>
    failureText(
      new ApiError(code, 'why', {
        httpHint: 'POST /api/auth/start',
        details: { job_id: 'm-1' },
        headers: { 'retry-after': '5' },
      }),
      baseUrl,
    ),
  );
  const meanings = queuedSchema.shape.status.options.map((status) => jobHints({ operation: 'send', status }));
  const texts = [...failures, ...meanings.flat()];
  assert.equal(texts.length, codes.length + 5);
  for (const text of texts) assertWithoutHttp(text);
  const names = toolDefinitions(baseUrl).map(({ name }) => name);
  const named = new Set(texts.join(' ').match(/whatsapp_\w+/g));
  named.delete('whatsapp_error'); // a code
  for (const name of named) assert.ok(names.includes(name), name);
  assert.ok(named.has('whatsapp_message_status'));
});

it('the messages of the errors that a tool can return have no words of HTTP', () => {
  const literals = filesOfTools().flatMap(literalsOfErrors);
  assert.ok(literals.length > 30, `${literals.length} texts`);
  for (const literal of literals) assertWithoutHttp(literal);
});

it('control: the search finds the words of HTTP in a message', () => {
  const [, message = ''] = literalsOfErrors("new ApiError('timeout', `ask GET it`, { httpHint: 'POST it' })");
  assert.equal(message, 'ask GET it');
  assert.throws(() => assertWithoutHttp(message));
});

/** The sources whose errors can end the call of a tool. */
function filesOfTools(): string[] {
  const src = join(import.meta.dirname, '../../../../../src');
  const folders = ['http/commands', 'http/session', 'session-worker/operations', 'http/operations'];
  const files = ['http/core/caller.ts', 'http/core/in-flight.ts', 'http/core/redis-errors.ts'];
  files.push('http/auth/rate-limits.ts', 'http/auth/api-keys.ts', 'http/core/to-api-error.ts');
  for (const folder of folders) {
    files.push(...readdirSync(join(src, folder)).map((name) => join(folder, name)));
  }
  return files.map((file) => readFileSync(join(src, file), 'utf8'));
}

/** The texts within `new ApiError(…)` and `super(…)`, without what is for callers over HTTP only. */
function literalsOfErrors(source: string): string[] {
  return source
    .split(/new ApiError\(|\bsuper\(/)
    .slice(1)
    .map((rest) => argumentsAtStart(rest).replace(/httpHint: (?:'[^']*'|`[^`]*`)|method: 'GET'/g, ''))
    .flatMap((text) =>
      [...text.matchAll(/'([^'\n]*)'|`([^`]*)`/g)].map((found) => found[1] ?? found[2] ?? ''),
    );
}

/** Up to the bracket that closes the call. */
function argumentsAtStart(text: string): string {
  let depth = 1;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth++;
    if (text[i] === ')' && --depth === 0) return text.slice(0, i);
  }
  return text;
}
