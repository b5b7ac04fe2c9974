import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { OperatorError } from '../contract/errors.js';
import { pause } from './deadline.js';

/** WHATSAPP_MCP_HOST and WHATSAPP_MCP_PORT. */
interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Throws {@link OperatorError} if the address cannot be used. */
export async function listen(server: Server, { host, port }: ListenAddress): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const remedies: Record<string, string> = {
      EADDRINUSE:
        'is in use; stop what uses it, or set WHATSAPP_MCP_PORT to another port (0 picks a free one)',
      EACCES: 'may not be used by this user; set WHATSAPP_MCP_PORT to a port above 1023',
      EADDRNOTAVAIL:
        'is not an address of this machine; set WHATSAPP_MCP_HOST to one that is, like 127.0.0.1',
    };
    const remedy = code === undefined ? undefined : remedies[code];
    throw remedy ? new OperatorError(`${host}:${port} ${remedy}`, { cause }) : cause;
  }
}

/** After a SIGKILL of the product, its process that serves HTTP holds the port for a moment. */
const releaseMs = 2_000;

/**
 * Listens for a moment, so that a start which cannot listen ends before it has started a Redis and a browser. Another program
 * may still take the port later. Throws {@link OperatorError} if the address cannot be used.
 */
export async function requireUsableAddress(address: ListenAddress): Promise<void> {
  const deadline = performance.now() + releaseMs;
  for (;;) {
    const server = createServer();
    try {
      await listen(server, address);
      const closed = once(server, 'close');
      server.close();
      return void (await closed);
    } catch (error) {
      const { cause } = error as { cause?: NodeJS.ErrnoException };
      if (cause?.code !== 'EADDRINUSE' || performance.now() > deadline) throw error;
    }
    await pause(100);
  }
}
