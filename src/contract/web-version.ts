/** In WHATSAPP_AUTH_DIR: start pages of WhatsApp Web, `<version>.html`. */
export const webVersionsFolder = '.web-versions';

/** A version of WhatsApp Web's page as the page itself names it. Never more than the name of a file. */
export function isWebVersion(text: string): boolean {
  return text.length <= 64 && /^\d+(\.\d+)+(-alpha|-beta)?$/.test(text);
}
