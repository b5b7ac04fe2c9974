import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { operations } from '../../../../src/contract/operations.js';
import type { Status } from '../../../../src/contract/status.js';
import { type McpStage, startMcpStage, type ToolResult } from '../../../support/mcp-stage.js';
import { showQrUntilAsked, startOwner } from '../../../support/scripted-owner.js';

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

const toolNames = Object.values(operations).flatMap(({ tool }) => tool?.name ?? []);

describe('the Model Context Protocol', () => {
  let stage: McpStage;

  before(async () => {
    stage = await startMcpStage();
  });
  afterEach(() => stage.clear());
  after(() => stage.close());

  async function post(body: string | object, headers: Record<string, string> = {}): Promise<Reply> {
    const response = await stage.replica.post('/mcp', {
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

  function ask(method: string, params?: object, headers?: Record<string, string>): Promise<Reply> {
    return post({ jsonrpc: '2.0', id: 7, method, ...(params && { params }) }, headers);
  }

  describe('for the official client', () => {
    for (const [title, options] of [
      ['with default options', {}],
      ['with a handshake', { versionNegotiation: { mode: 'legacy' } }],
      ['of the revision without a handshake', { versionNegotiation: { mode: { pin: '2026-07-28' } } }],
      ['that negotiates the revision', { versionNegotiation: { mode: 'auto' } }],
    ] as const) {
      it(`lists and calls the tools, ${title}`, async () => {
        stage.owner = await startOwner(stage.server.url, showQrUntilAsked);
        const client = new Client({ name: 'test', version: '1' }, options);
        await client.connect(new StreamableHTTPClientTransport(new URL(`${stage.replica.url}/mcp`)));
        try {
          assert.equal(client.getServerVersion()?.name, 'holdline');
          assert.match(client.getInstructions() ?? '', new RegExp(`${stage.replica.url}/qr`));
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

    it('works with requests to alternating replicas', async () => {
      const client = new Client({ name: 'test', version: '1' });
      let turn = 0;
      const byTurns = (url: string | URL, init?: RequestInit) =>
        fetch(
          String(url).replace(stage.replica.url, [stage.replica.url, stage.other.url][turn++ % 2] ?? ''),
          init,
        );
      await client.connect(
        new StreamableHTTPClientTransport(new URL(`${stage.replica.url}/mcp`), {
          fetch: byTurns as typeof fetch,
        }),
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

    it('offers its newest version to a client of an unknown version, and refuses requests in that version', async () => {
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
      const response = await stage.replica.post('/mcp', {
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

    it('has the given session id in every answer, or a new one', async () => {
      const echoed = await ask('ping', {}, { 'mcp-session-id': 'my-own' });
      assert.equal(echoed.headers.get('mcp-session-id'), 'my-own');
      for (const body of ['{', '[]', { jsonrpc: '2.0', method: 'notifications/initialized' }]) {
        assert.match((await post(body)).headers.get('mcp-session-id') ?? '', /^[0-9a-f-]{36}$/);
      }
    });

    it('answers a notification and an unrelated response with 202 and an empty body', async () => {
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

    it('refuses a body that is not one JSON-RPC message', async () => {
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

    it('opens no stream: it refuses GET, DELETE and subscriptions', async () => {
      for (const method of ['GET', 'DELETE', 'PUT']) {
        const response = await stage.replica.get('/mcp', { method });
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

    it('answers HTTP errors in the format of the API', async () => {
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
});
