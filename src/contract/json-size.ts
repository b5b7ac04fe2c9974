/** How many bytes a text takes as JSON in UTF-8, and cutting it to so many, always between two characters. */

/** Bytes of a value as it is stored and sent. */
export function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? '');
}

/** The longest beginning of `text` that takes at most `most` bytes within a JSON string. */
export function cutText(text: string, most: number): string {
  if (text.length * 6 <= most) return text;
  let bytes = 0;
  for (let at = 0; at < text.length; ) {
    const point = text.codePointAt(at) as number;
    bytes += bytesOf(point);
    if (bytes > most) return text.slice(0, at);
    at += point > 0xffff ? 2 : 1;
  }
  return text;
}

const shortEscapes = new Set([0x08, 0x09, 0x0a, 0x0c, 0x0d, 0x22, 0x5c]);

/** As `JSON.stringify` writes it: what is no character (half a pair) and most controls take six bytes. */
function bytesOf(point: number): number {
  if (shortEscapes.has(point)) return 2;
  if (point < 0x20 || (point >= 0xd800 && point <= 0xdfff)) return 6;
  if (point < 0x80) return 1;
  if (point < 0x800) return 2;
  return point > 0xffff ? 4 : 3;
}

/**
 * The same with every text in it cut, and every list to its first `items`: for what may be of any length. The value itself
 * where nothing is too long.
 */
export function cutDeep<Value>(value: Value, most: number, items: number): Value {
  return cutAny(value, most, items) as Value;
}

function cutAny(value: unknown, most: number, items: number): unknown {
  if (typeof value === 'string') return cutText(value, most);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).slice(0, Array.isArray(value) ? items : undefined);
  const cut = entries.map(([name, each]) => [name, cutAny(each, most, items)] as const);
  const isWhole =
    Object.keys(value).length === cut.length && cut.every(([, each], i) => each === entries[i]?.[1]);
  if (isWhole) return value;
  return Array.isArray(value) ? cut.map(([, each]) => each) : Object.fromEntries(cut);
}
