import type { StoredQr } from '../platform/store/state-store.js';
import { drawSquares } from './png.js';

const pixels = 360;
/** Modules of the quiet zone, on each side. */
const margin = 2;

/** Loaded on demand: most threads have a saved login and never need it. */
let encoder: Promise<typeof import('qrcode')> | null = null;

/** Loads and runs the encoder ahead of the first QR: its first run takes several times as long. Never rejects. */
export async function warmUpEncoder(): Promise<void> {
  // A text of the same length as WhatsApp's.
  await encodeQr('2@'.padEnd(240, 'holdline')).catch(() => undefined);
}

/**
 * Encodes a QR as a PNG of 360x360 pixels with a quiet zone of 2 modules, black on white. The library's own PNG has 32 bits
 * per pixel: five times the bytes, and ten times the time of its encoding.
 */
export async function encodeQr(text: string): Promise<StoredQr> {
  encoder ??= import('qrcode');
  const { create } = await encoder;
  const { modules } = create(text, { errorCorrectionLevel: 'L' });
  const isInside = (cell: number) => cell >= 0 && cell < modules.size;
  const png = drawSquares(pixels, modules.size + 2 * margin, (row, column) => {
    const [y, x] = [row - margin, column - margin];
    return isInside(y) && isInside(x) && modules.get(y, x) === 1;
  });
  return { png, base64: png.toString('base64') };
}
