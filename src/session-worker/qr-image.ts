import type { StoredQr } from '../platform/session-store.js';

/** Loaded when a code is near: most threads begin with a saved login and never need it. */
let encoder: Promise<typeof import('qrcode')> | null = null;

function loadEncoder(): Promise<typeof import('qrcode')> {
  encoder ??= import('qrcode');
  return encoder;
}

/** Ahead of the first code: code that runs for the first time takes several times as long. Never rejects. */
export async function warmUpEncoder(): Promise<void> {
  // As long as WhatsApp's.
  await encodeQr('2@'.padEnd(240, 'holdline')).catch(() => undefined);
}

/** A PNG of exactly 360x360 pixels with a quiet zone of 2 modules, black on white. */
export async function encodeQr(text: string): Promise<StoredQr> {
  const { toBuffer } = await loadEncoder();
  const png = await toBuffer(text, {
    type: 'png',
    width: 360,
    margin: 2,
    errorCorrectionLevel: 'L',
    color: { dark: '#000000ff', light: '#ffffffff' },
  });
  return { png, base64: png.toString('base64') };
}
