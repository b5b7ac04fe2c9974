import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Redis } from 'ioredis';
import { z } from 'zod';
import { operations } from '../../../../src/contract/operations.js';
import type { Status } from '../../../../src/contract/status.js';
import { eventually } from '../../../support/eventually.js';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { type RedisServer, startRedis } from '../../../support/redis-server.js';
import { type ScriptedOwner, showQrUntilAsked, startOwner } from '../../../support/scripted-owner.js';

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: {
    readonly id?: unknown;
    readonly result?: Record<string, unknown> & { readonly tools?: readonly unknown[] };
    readonly error?: { readonly code: number | string; readonly message: string };
  };
}

interface ToolResult {
  readonly isError?: boolean;
  readonly content: readonly { readonly type: string; readonly text: string }[];
}

const toolNames = Object.values(operations).flatMap(({ tool }) => tool?.name ?? []);

describe('the Model Context Protocol', () => {
  let server: RedisServer;
  let redis: Redis;
  let replica: Replica;
  let other: Replica;
  let owner: ScriptedOwner | null = null;

  before(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    redis.on('error', () => undefined);
    replica = await startReplica(server.url);
    other = await startReplica(server.url, {
      environment: { WHATSAPP_PUBLIC_URL: 'https://wa.example.org/hold' },
    });
  });
  afterEach(async () => {
    await owner?.close();
    owner = null;
    await redis.flushall();
  });
  after(async () => {
    await Promise.all([replica.close(), other.close()]);
    redis.disconnect();
    await server.stop();
  });

  async function post(
    body: string | object,
    headers: Record<string, string> = {},
    at = replica,
  ): Promise<Reply> {
    const response = await at.post('/mcp', {
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: text === '' ? {} : JSON.parse(text),
    };
  }

  function ask(
    method: string,
    params?: object,
    headers?: Record<string, string>,
    at?: Replica,
  ): Promise<Reply> {
    return post({ jsonrpc: '2.0', id: 7, method, ...(params && { params }) }, headers, at);
  }

  async function call(name: string, input?: object, at?: Replica): Promise<ToolResult> {
    const { status, json } = await ask('tools/call', { name, ...(input && { arguments: input }) }, {}, at);
    assert.equal(status, 200);
    assert.ok(json.result, JSON.stringify(json.error));
    return json.result as unknown as ToolResult;
  }

  describe('for the official client', () => {
    for (const [title, options] of [
      ['as it comes', {}],
      ['with a handshake', { versionNegotiation: { mode: 'legacy' } }],
      ['of the revision without a handshake', { versionNegotiation: { mode: { pin: '2026-07-28' } } }],
      ['that finds out which revision there is', { versionNegotiation: { mode: 'auto' } }],
    ] as const) {
      it(`lists and calls the tools, ${title}`, async () => {
        owner = await startOwner(server.url, showQrUntilAsked);
        const client = new Client({ name: 'test', version: '1' }, options);
        await client.connect(new StreamableHTTPClientTransport(new URL(`${replica.url}/mcp`)));
        try {
          assert.equal(client.getServerVersion()?.name, 'holdline');
          assert.match(client.getInstructions() ?? '', new RegExp(`${replica.url}/qr`));
          const { tools } = await client.listTools();
          assert.deepEqual(tools.map(({ name }) => name).sort(), [...toolNames].sort());

          const started = (await client.callTool({ name: 'whatsapp_start_auth' })) as ToolResult;
          assert.equal((JSON.parse(started.content[0]?.text ?? '') as Status).state, 'qr');
          const sent = (await client.callTool({
            name: 'whatsapp_send_message',
            arguments: { phone_number: '+1 555 123-4567', message: 'hello' },
          })) as ToolResult;
          assert.equal(sent.isError, true);
          assert.match(sent.content[0]?.text ?? '', /login_required/);
        } finally {
          await client.close();
        }
      });
    }

    it('goes on with another replica in the middle', async () => {
      const client = new Client({ name: 'test', version: '1' });
      let turn = 0;
      const byTurns = (url: string | URL, init?: RequestInit) =>
        fetch(String(url).replace(replica.url, [replica.url, other.url][turn++ % 2] ?? ''), init);
      await client.connect(
        new StreamableHTTPClientTransport(new URL(`${replica.url}/mcp`), { fetch: byTurns as typeof fetch }),
      );
      try {
        for (let i = 0; i < 4; i++) await client.callTool({ name: 'whatsapp_status' });
        assert.ok(turn > 4);
      } finally {
        await client.close();
      }
    });
  });

  describe('for plain JSON-RPC requests', () => {
    for (const version of ['2024-10-07', '2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']) {
      it(`answers initialize in the client's version ${version}`, async () => {
        const { status, headers, json } = await ask('initialize', {
          protocolVersion: version,
          capabilities: {},
          clientInfo: { name: 'curl', version: '1' },
        });
        assert.equal(status, 200);
        assert.equal(headers.get('content-type'), 'application/json; charset=utf-8');
        assert.match(headers.get('mcp-session-id') ?? '', /^[0-9a-f-]{36}$/);
        assert.equal(json.result?.protocolVersion, version);
        assert.deepEqual(json.result?.capabilities, { tools: {} });
        assert.match(String(json.result?.instructions), /Other people, .*never as instructions/);
        const list = await ask('tools/list', {}, { 'mcp-protocol-version': version });
        assert.equal(list.json.result?.tools?.length, toolNames.length);
      });
    }

    it('offers its newest version to a client of an unknown one, and refuses that one later', async () => {
      const { json } = await ask('initialize', {
        protocolVersion: '1999-01-01',
        capabilities: {},
        clientInfo: { name: 'curl', version: '1' },
      });
      assert.equal(json.result?.protocolVersion, '2025-11-25');
      const later = await ask('tools/list', {}, { 'mcp-protocol-version': '1999-01-01' });
      assert.equal(later.status, 400);
      assert.match(later.json.error?.message ?? '', /version/);
    });

    it('answers without a handshake, an Accept header, a type or parameters', async () => {
      const response = await replica.post('/mcp', {
        body: Buffer.from('{"jsonrpc":"2.0","id":"a","method":"tools/list"}'),
      });
      const { id, result } = (await response.json()) as Reply['json'];
      assert.equal(id, 'a');
      assert.equal(result?.tools?.length, toolNames.length);
      for (const accept of ['application/json', 'text/event-stream', '*/*', 'text/html']) {
        const { headers, json } = await ask('ping', {}, { accept });
        assert.match(headers.get('content-type') ?? '', /^application\/json/);
        assert.deepEqual(json, { jsonrpc: '2.0', id: 7, result: {} });
      }
    });

    it('has a session id in every answer: the given one, or a new one', async () => {
      const echoed = await ask('ping', {}, { 'mcp-session-id': 'my-own' });
      assert.equal(echoed.headers.get('mcp-session-id'), 'my-own');
      for (const body of ['{', '[]', { jsonrpc: '2.0', method: 'notifications/initialized' }]) {
        assert.match((await post(body)).headers.get('mcp-session-id') ?? '', /^[0-9a-f-]{36}$/);
      }
    });

    it('takes a notification, and an answer to nothing, with 202 and an empty body', async () => {
      for (const message of [
        { jsonrpc: '2.0', method: 'notifications/initialized' },
        { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } },
        { jsonrpc: '2.0', method: 'notifications/of-nothing' },
        { jsonrpc: '2.0', id: 3, result: {} },
      ]) {
        const { status, text } = await post(message);
        assert.deepEqual([status, text], [202, ''], JSON.stringify(message));
      }
    });

    for (const method of [
      'nonsense',
      'resources/list',
      'prompts/list',
      'server/discover',
      'subscriptions/listen',
    ]) {
      it(`does not know the method ${method}`, async () => {
        const { json } = await ask(method, {});
        assert.deepEqual(json, {
          jsonrpc: '2.0',
          id: 7,
          error: { code: -32601, message: `Method not found: ${method}` },
        });
      });
    }

    it('refuses what is not one JSON-RPC message', async () => {
      for (const [body, code] of [
        ['{', -32700],
        ['', -32600],
        ['{}', -32600],
        ['null', -32600],
        ['"text"', -32600],
        ['{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600],
        ['{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600],
        ['[]', -32600],
        ['[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600],
      ] as const) {
        const { status, json } = await post(body);
        assert.equal(status, 400, body);
        assert.deepEqual([json.id, json.error?.code], [null, code], body);
      }
    });

    it('holds no stream open: GET and DELETE are refused, and so is a subscription', async () => {
      for (const method of ['GET', 'DELETE', 'PUT']) {
        const response = await replica.get('/mcp', { method });
        assert.deepEqual([response.status, response.headers.get('allow')], [405, 'POST, OPTIONS']);
      }
      const envelope = {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientInfo': { name: 'curl', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': {},
      };
      const { headers, json } = await ask(
        'subscriptions/listen',
        { notifications: { toolsListChanged: true }, _meta: envelope },
        { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' },
      );
      assert.match(headers.get('content-type') ?? '', /^application\/json/);
      assert.match(json.error?.message ?? '', /limit/);
    });

    it('refuses at the level of HTTP in the shape of the API', async () => {
      const ping = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
      for (const [headers, body, status, code] of [
        [{ 'content-type': 'text/plain' }, ping, 415, 'unsupported_media_type'],
        [{ origin: 'http://evil.example' }, ping, 403, 'origin_not_allowed'],
        [{}, `{"jsonrpc":"2.0","id":1,"method":"${'x'.repeat(1024 * 1024)}"}`, 413, 'body_too_large'],
      ] as const) {
        const answer = await post(body, headers);
        assert.deepEqual([answer.status, answer.json.error?.code], [status, code]);
      }
    });
  });

  describe('its tools', () => {
    it('are those of the table, with its descriptions, schemas and hints', async () => {
      const { json } = await ask('tools/list');
      const tools = json.result?.tools as unknown as {
        name: string;
        description: string;
        inputSchema: Record<string, unknown> & { properties: Record<string, unknown> };
        annotations: Record<string, boolean>;
      }[];
      const rows = Object.values(operations).filter(({ tool }) => tool !== null);
      assert.equal(tools.length, rows.length);
      for (const { tool, summary, description, input, delivery } of rows) {
        const told = tools.find(({ name }) => name === tool?.name);
        assert.ok(told, tool?.name);
        assert.equal(told.description, `${summary}. ${description}`);
        const { $schema: _dialect, ...schema } = z.toJSONSchema(input, { io: 'input' });
        const { idempotency_key: key, ...properties } = told.inputSchema.properties;
        assert.deepEqual({ ...told.inputSchema, properties }, schema);
        assert.equal(key !== undefined, delivery === 'once');
        assert.equal(told.annotations.readOnlyHint, tool?.readOnly);
        assert.equal(told.annotations.destructiveHint, tool?.destructive);
        assert.equal(told.annotations.openWorldHint, tool?.openWorld);
        // What strangers wrote is said to be that before any of it is read.
        assert.equal(
          /never as instructions/.test(told.description),
          tool !== null && 'hasUntrustedText' in tool,
        );
      }
      const beyond = tools.filter(({ annotations }) => !annotations.openWorldHint).map(({ name }) => name);
      assert.deepEqual(beyond, ['whatsapp_status'], 'all others reach WhatsApp');
      const repeatable = tools
        .filter(({ annotations }) => annotations.idempotentHint)
        .map(({ name }) => name);
      assert.deepEqual(repeatable.sort(), [
        'whatsapp_list_chats',
        'whatsapp_logout',
        'whatsapp_react',
        'whatsapp_read_messages',
        'whatsapp_start_auth',
        'whatsapp_status',
      ]);
    });

    it('answer what the route answers, indented', async () => {
      owner = await startOwner(server.url, showQrUntilAsked);
      const started = await call('whatsapp_start_auth');
      const status = await replica.status();
      assert.deepEqual(started, { content: [{ type: 'text', text: JSON.stringify(status, null, 2) }] });
      assert.deepEqual(await call('whatsapp_status', {}), started);
      assert.deepEqual(await call('whatsapp_status', {}, other), started);
      const out = await call('whatsapp_logout');
      assert.deepEqual(JSON.parse(out.content[0]?.text ?? ''), { ok: true, unlinked: true });
      await eventually(async () => (await replica.status()).state === 'stopped');
    });

    it('say what to do first', async () => {
      const input = { phone_number: '+1 555 123-4567', message: 'hello' };
      const before = await call('whatsapp_send_message', input);
      assert.equal(before.isError, true);
      assert.match(before.content[0]?.text ?? '', /\(session_not_started\)\nCall whatsapp_start_auth first/);

      owner = await startOwner(server.url, showQrUntilAsked);
      await call('whatsapp_start_auth');
      const unlinked = await call('whatsapp_list_chats', {}, other);
      assert.equal(unlinked.isError, true);
      assert.match(
        unlinked.content[0]?.text ?? '',
        /\(login_required\)\n.* scan the QR at https:\/\/wa\.example\.org\/hold\/qr/,
      );
    });

    it('say that WhatsApp asks for a passkey, and where that is explained', async () => {
      owner = await startOwner(server.url, async (run) => {
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

    it('have schemas without a choice at the top, which some clients refuse', async () => {
      const { json } = await ask('tools/list');
      const tools = (json.result?.tools ?? []) as readonly { inputSchema: Record<string, unknown> }[];
      assert.equal(tools.length, toolNames.length);
      for (const { inputSchema } of tools) {
        assert.equal(inputSchema.type, 'object');
        for (const word of ['oneOf', 'anyOf', 'allOf']) assert.ok(!(word in inputSchema), word);
      }
    });

    it('name everything that is wrong with their arguments', async () => {
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
      const limit = await call('whatsapp_list_chats', { limit: 101 });
      assert.match(limit.content[0]?.text ?? '', /limit must be an integer between 1 and 100/);
    });

    it('that do not exist are an error of the protocol', async () => {
      for (const name of ['whatsapp_nothing', 'constructor', '']) {
        const { json } = await ask('tools/call', { name });
        assert.deepEqual(json.error, { code: -32602, message: `Unknown tool: ${name}` });
      }
      const { json } = await ask('tools/call', {});
      assert.equal(json.error?.code, -32602);
    });

    it('say that Redis is down, and work again once it is back', async () => {
      await server.kill();
      try {
        const { isError, content } = await call('whatsapp_status');
        assert.equal(isError, true);
        assert.match(content[0]?.text ?? '', /\(redis_unavailable\)/);
        const line = await eventually(() => replica.logLines.find(({ msg }) => msg === 'tool failed'));
        assert.equal(line?.tool, 'whatsapp_status');
      } finally {
        await server.restart();
      }
      await eventually(async () => (await call('whatsapp_status')).isError !== true);
    });
  });
});
