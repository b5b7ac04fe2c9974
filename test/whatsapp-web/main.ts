import { parseArgs } from 'node:util';
import { startWhatsAppWeb } from './server.js';

/**
 * Runs the stand-in alone: `node dist/test/whatsapp-web/main.js [--https-port N] [--control-port N]`.
 * Prints one line of JSON when it is ready. Ends on SIGINT or SIGTERM.
 */
const { values } = parseArgs({
  options: {
    'https-port': { type: 'string', default: '0' },
    'control-port': { type: 'string', default: '0' },
  },
});

const whatsAppWeb = await startWhatsAppWeb({
  httpsPort: Number(values['https-port']),
  controlPort: Number(values['control-port']),
});

const { httpsPort, controlPort, controlUrl, chromeArgs } = whatsAppWeb;
console.log(JSON.stringify({ httpsPort, controlPort, controlUrl, chromeArgs }));

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void whatsAppWeb.close());
