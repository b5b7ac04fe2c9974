import { startWhatsAppWeb } from '../../whatsapp-web/index.js';
import { startForwardProxy } from '../forward-proxy.js';

/**
 * An account of its own, in its own process: a stand-in, and a proxy that leads to it. Its number is the argument. Prints one
 * line of JSON when it is ready. Ends when it is killed.
 */
const [number = ''] = process.argv.slice(2);
const { httpsPort, controlUrl } = await startWhatsAppWeb({
  account: { wid: `${number}@c.us`, lid: `99${number.slice(-7)}@lid`, pushname: `Owner of ${number}` },
});
const { server } = await startForwardProxy(httpsPort);
console.log(JSON.stringify({ controlUrl, proxy: server }));
