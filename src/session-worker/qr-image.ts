import { toBuffer } from 'qrcode';
import type { StoredQr } from '../platform/session-store.js';

/** A PNG of exactly 360x360 pixels with a quiet zone of 2 modules, black on white. */
export async function encodeQr(text: string): Promise<StoredQr> {
  const png = await toBuffer(text, {
    type: 'png',
    width: 360,
    margin: 2,
    errorCorrectionLevel: 'L',
    color: { dark: '#000000ff', light: '#ffffffff' },
  });
  return { png, base64: png.toString('base64') };
}
