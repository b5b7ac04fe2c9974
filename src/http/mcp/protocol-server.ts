import { type CallToolResult, ProtocolError, ProtocolErrorCode, Server } from '@modelcontextprotocol/server';
import { productName, productVersion } from '../../contract/product.js';
import { cutShort } from '../core/validation.js';
import { toolDefinitions, tools } from './tools.js';
import { untrustedTextRule } from './untrusted-text.js';

export type CallTool = (name: string, input: Record<string, unknown>) => Promise<CallToolResult>;

/**
 * Serves the protocol for one request. It uses the library's low-level server: the high-level one has a registry of tools, and the
 * table of operations already is one.
 */
export function protocolServer(baseUrl: string, callTool: CallTool): Server {
  const server = new Server(
    { name: productName, version: productVersion },
    {
      capabilities: { tools: {} },
      instructions: `Linked WhatsApp accounts. Each is a session with a name; whatsapp_list_sessions lists them, and a tool without \`session\` uses the one named default. Call whatsapp_status first. If no phone is linked yet, call whatsapp_start_auth and have a person scan the QR at ${baseUrl}/qr, or of a session with another name at ${baseUrl}/sessions/<name>/qr, with WhatsApp on their phone. ${untrustedTextRule}`,
    },
  );
  server.setRequestHandler('tools/list', () => ({ tools: toolDefinitions(baseUrl) }));
  server.setRequestHandler('tools/call', async ({ params }) => {
    if (!tools.has(params.name)) {
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool: ${cutShort(params.name)}`);
    }
    return callTool(params.name, params.arguments ?? {});
  });
  return server;
}
