import { crc32, deflateSync } from 'node:zlib';

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/**
 * Draws a square PNG in black and white, one bit per pixel (ISO/IEC 15948): `cells` x `cells` squares on `size` x `size`
 * pixels. Calls `isDark` once per cell.
 */
export function drawSquares(
  size: number,
  cells: number,
  isDark: (row: number, column: number) => boolean,
): Buffer {
  const cellAt = Array.from({ length: size }, (_, pixel) => Math.floor((pixel * cells) / size));
  const rows = Array.from({ length: cells }, (_, row) => pixelRow(cellAt, (column) => isDark(row, column)));
  const pixels = Buffer.concat(cellAt.map((row) => rows[row] as Buffer));
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  // One bit per sample. The rest is 0: greyscale, deflate, filter method 0, not interlaced.
  header.writeUInt8(1, 8);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(pixels)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** One row of pixels, white as 1, after a filter byte of 0 (no filter). */
function pixelRow(cellAt: readonly number[], isDark: (column: number) => boolean): Buffer {
  const bytes = Buffer.alloc(1 + Math.ceil(cellAt.length / 8));
  cellAt.forEach((column, pixel) => {
    if (!isDark(column))
      bytes[1 + (pixel >> 3)] = (bytes[1 + (pixel >> 3)] as number) | (0x80 >> (pixel & 7));
  });
  return bytes;
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}
