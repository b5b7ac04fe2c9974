/** The stand-in for WhatsApp Web that tests and the demo use; see README.md in this folder. */
export type { Controls } from './control.js';
export { connectControls } from './control-client.js';
export { lidOf } from './ids.js';
export { JUNE, type PageSettings, TODAY } from './page-settings.js';
export { startWhatsAppWeb, type WhatsAppWeb } from './server.js';
