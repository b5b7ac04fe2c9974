import { crc32, deflateSync } from 'node:zlib';

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/**
 * A square PNG in black and white, one bit a pixel (ISO/IEC 15948). `isDark` is asked once for each row and column of
 * `cells`, which is stretched to `size` pixels.
 */
export function drawSquares(
  size: number,
  cells: number,
  isDark: (row: number, column: number) => boolean,
): Buffer {
  const cellAt = Array.from({ length: size }, (_, pixel) => Math.floor((pixel * cells) / size));
  const lines = Array.from({ length: cells }, (_, row) => line(cellAt, (column) => isDark(row, column)));
  const pixels = Buffer.concat(cellAt.map((row) => lines[row] as Buffer));
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  // One bit a sample; the rest stays 0: greyscale, deflate, the one set of filters, not interlaced.
  header.writeUInt8(1, 8);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(pixels)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** One line of pixels, white as 1, after the byte that says that it is not filtered. */
function line(cellAt: readonly number[], isDark: (column: number) => boolean): Buffer {
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
