import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { z } from 'zod';
import { logoutResults } from '../../../../src/contract/intent.js';
import { operations } from '../../../../src/contract/operations.js';
import type { Status } from '../../../../src/contract/status.js';
import { eventually } from '../../../support/eventually.js';
import type { Replica } from '../../../support/http-replica.js';
import { type McpStage, startMcpStage, type ToolResult } from '../../../support/mcp-stage.js';
import { showQrUntilAsked, startOwner } from '../../../support/scripted-owner.js';

interface Reply {
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string };
}

describe('the MCP tools', () => {
  let stage: McpStage;

  before(async () => {
    stage = await startMcpStage();
  });
  afterEach(() => stage.clear());
  after(() => stage.close());

  async function ask(method: string, params?: object, at = stage.replica): Promise<Reply> {
    const response = await at.post('/mcp', {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 7, method, ...(params && { params }) }),
    });
    assert.equal(response.status, 200);
    return (await response.json()) as Reply;
  }

  async function call(name: string, input?: object, at?: Replica): Promise<ToolResult> {
    const { result, error } = await ask('tools/call', { name, ...(input && { arguments: input }) }, at);
    assert.ok(result, JSON.stringify(error));
    return result as unknown as ToolResult;
  }

  it('are those of the table of operations, with its descriptions, schemas and hints', async () => {
    const { result } = await ask('tools/list');
    const tools = result?.tools as {
      name: string;
      description: string;
      inputSchema: Record<string, unknown> & { properties: Record<string, unknown> };
      annotations: Record<string, boolean>;
    }[];
    const rows = Object.values(operations).filter(({ tool }) => tool !== null);
    assert.equal(tools.length, rows.length);
    for (const { tool, summary, description, input, delivery } of rows) {
      const listed = tools.find(({ name }) => name === tool?.name);
      assert.ok(listed, tool?.name);
      assert.ok(listed.description.startsWith(`${summary}. ${description}`));
      const rest = listed.description.slice(`${summary}. ${description}`.length).trim();
      const note = tool !== null && 'note' in tool ? tool.note : '';
      assert.equal(rest, (note ?? '').replaceAll('{baseUrl}', stage.replica.url));
      const { $schema: _dialect, oneOf: _rule, ...schema } = z.toJSONSchema(input, { io: 'input' });
      const { idempotency_key: key, session, ...properties } = listed.inputSchema.properties;
      assert.deepEqual({ ...listed.inputSchema, properties }, schema);
      assert.equal(key !== undefined, delivery === 'once');
      assert.equal(session !== undefined, tool?.name !== 'whatsapp_list_sessions');
      assert.equal(listed.annotations.readOnlyHint, tool?.readOnly);
      assert.equal(listed.annotations.destructiveHint, tool?.destructive);
      assert.equal(listed.annotations.openWorldHint, tool?.openWorld);
      // The description of a tool that returns texts of other people warns of them.
      assert.equal(
        /never as instructions/.test(listed.description),
        tool !== null && 'hasUntrustedText' in tool,
      );
    }
    const beyond = tools.filter(({ annotations }) => !annotations.openWorldHint).map(({ name }) => name);
    assert.deepEqual(
      beyond,
      ['whatsapp_status', 'whatsapp_message_status', 'whatsapp_list_sessions'],
      'all others reach WhatsApp',
    );
    const repeatable = tools.filter(({ annotations }) => annotations.idempotentHint).map(({ name }) => name);
    assert.deepEqual(repeatable.sort(), [
      'whatsapp_list_chats',
      'whatsapp_list_sessions',
      'whatsapp_logout',
      'whatsapp_message_status',
      'whatsapp_react',
      'whatsapp_read_messages',
      'whatsapp_start_auth',
      'whatsapp_status',
    ]);
  });

  it('answer what the route answers, indented', async () => {
    stage.owner = await startOwner(stage.server.url, showQrUntilAsked);
    const started = await call('whatsapp_start_auth');
    const status = await stage.replica.status();
    assert.deepEqual(started, { content: [{ type: 'text', text: JSON.stringify(status, null, 2) }] });
    assert.deepEqual(await call('whatsapp_status', {}), started);
    assert.deepEqual(await call('whatsapp_status', {}, stage.other), started);
    const out = await call('whatsapp_logout');
    assert.deepEqual(JSON.parse(out.content[0]?.text ?? ''), { ok: true, ...logoutResults.unlinked });
    await eventually(async () => (await stage.replica.status()).state === 'stopped');
  });

  it('say which tool to call first', async () => {
    const input = { phone_number: '+1 555 123-4567', message: 'hello' };
    const before = await call('whatsapp_send_message', input);
    assert.equal(before.isError, true);
    assert.match(before.content[0]?.text ?? '', /\(session_not_started\)\nCall whatsapp_start_auth first/);

    stage.owner = await startOwner(stage.server.url, showQrUntilAsked);
    await call('whatsapp_start_auth');
    const unlinked = await call('whatsapp_list_chats', {}, stage.other);
    assert.equal(unlinked.isError, true);
    assert.match(
      unlinked.content[0]?.text ?? '',
      /\(login_required\)\n.* scan the QR at https:\/\/wa\.example\.org\/hold\/qr/,
    );
  });

  it('say that WhatsApp asks for a passkey, with the URL of the QR page', async () => {
    stage.owner = await startOwner(stage.server.url, async (run) => {
      await run.publish('passkey_required', { lastError: 'WhatsApp asks for a passkey' });
      await run.end('stopped', { intent: await run.intent });
    });
    const started = await call('whatsapp_start_auth');
    const status = JSON.parse(started.content[0]?.text ?? '') as Status;
    assert.deepEqual(
      [status.state, status.has_qr, status.last_error],
      ['passkey_required', false, 'WhatsApp asks for a passkey'],
    );
    for (const [name, input] of [
      ['whatsapp_send_message', { chat_id: '1@lid', message: 'hello' }],
      ['whatsapp_read_messages', { chat_id: '1@lid' }],
      ['whatsapp_pairing_code', { phone_number: '15551234567' }],
    ] as const) {
      const { isError, content } = await call(name, input);
      assert.equal(isError, true, name);
      assert.match(
        content[0]?.text ?? '',
        /asks the person for a passkey.*\/qr says .*\(login_required\)/,
        name,
      );
    }
  });

  it('have schemas without a top-level choice, which some clients refuse', async () => {
    const { result } = await ask('tools/list');
    const tools = (result?.tools ?? []) as readonly { inputSchema: Record<string, unknown> }[];
    assert.equal(tools.length, Object.values(operations).filter(({ tool }) => tool !== null).length);
    for (const { inputSchema } of tools) {
      assert.equal(inputSchema.type, 'object');
      for (const word of ['oneOf', 'anyOf', 'allOf']) assert.ok(!(word in inputSchema), word);
    }
  });

  it('name every problem of their arguments', async () => {
    const { isError, content } = await call('whatsapp_send_message', {
      phone_number: '123',
      message: '',
      idempotency_key: 'ключ',
      more: 1,
    });
    assert.equal(isError, true);
    const text = content[0]?.text ?? '';
    for (const part of [
      'phone_number must include country code and contain 8-15 digits',
      'message must be a non-empty string',
      'idempotency_key must be 1-255 printable ASCII characters',
      'more: unknown field',
      '(invalid_request)',
    ]) {
      assert.ok(text.includes(part), `${part} in ${text}`);
    }
    const missing = await call('whatsapp_message_status', {});
    assert.equal(missing.content[0]?.text, 'id is missing; it must be text (invalid_request)');
    const limit = await call('whatsapp_list_chats', { limit: 101 });
    assert.match(limit.content[0]?.text ?? '', /limit must be an integer between 1 and 100/);
  });

  it('answer a protocol error for an unknown name', async () => {
    for (const name of ['whatsapp_nothing', 'constructor', '']) {
      const { error } = await ask('tools/call', { name });
      assert.deepEqual(error, { code: -32602, message: `Unknown tool: ${name}` });
    }
    for (const [params, message] of [
      [{}, 'params.name is missing; it must be text'],
      [{ name: 5 }, 'params.name must be text'],
      [{ name: 'whatsapp_status', arguments: 5 }, 'params.arguments must be an object'],
      [undefined, 'params is missing; it must be an object'],
    ] as const) {
      const { error } = await ask('tools/call', params);
      assert.deepEqual(error, { code: -32602, message: `Invalid params: ${message}` });
    }
  });

  it('say that Redis is down, and work again when it is back', async () => {
    await stage.server.kill();
    try {
      const { isError, content } = await call('whatsapp_status');
      assert.equal(isError, true);
      assert.match(content[0]?.text ?? '', /\(redis_unavailable\)/);
      const line = await eventually(() => stage.replica.logLines.find(({ msg }) => msg === 'tool failed'));
      assert.equal(line?.tool, 'whatsapp_status');
    } finally {
      await stage.server.restart();
    }
    await eventually(async () => (await call('whatsapp_status')).isError !== true);
  });
});
