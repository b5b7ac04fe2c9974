/** Sizes in bytes of UTF-8 JSON, and cutting values to a size. A text is cut between two characters. */

export function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? '');
}

/** The longest prefix of `text` that takes at most `maxBytes` within a JSON string. */
export function cutText(text: string, maxBytes: number): string {
  if (text.length * 6 <= maxBytes) return text;
  let bytes = 0;
  for (let at = 0; at < text.length; ) {
    const point = text.codePointAt(at) as number;
    bytes += encodedBytes(point);
    if (bytes > maxBytes) return text.slice(0, at);
    at += point > 0xffff ? 2 : 1;
  }
  return text;
}

const shortEscapes = new Set([0x08, 0x09, 0x0a, 0x0c, 0x0d, 0x22, 0x5c]);

/** As `JSON.stringify` writes it: lone surrogates and most control characters take six bytes. */
function encodedBytes(point: number): number {
  if (shortEscapes.has(point)) return 2;
  if (point < 0x20 || (point >= 0xd800 && point <= 0xdfff)) return 6;
  if (point < 0x80) return 1;
  if (point < 0x800) return 2;
  return point > 0xffff ? 4 : 3;
}

/**
 * A copy with every text cut to `maxBytes` and every list to its first `maxItems`. Returns the value itself if nothing is too
 * long.
 */
export function cutDeep<Value>(value: Value, maxBytes: number, maxItems: number): Value {
  return cutAny(value, maxBytes, maxItems) as Value;
}

function cutAny(value: unknown, maxBytes: number, maxItems: number): unknown {
  if (typeof value === 'string') return cutText(value, maxBytes);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).slice(0, Array.isArray(value) ? maxItems : undefined);
  const cut = entries.map(([name, each]) => [name, cutAny(each, maxBytes, maxItems)] as const);
  const isWhole =
    Object.keys(value).length === cut.length && cut.every(([, each], i) => each === entries[i]?.[1]);
  if (isWhole) return value;
  return Array.isArray(value) ? cut.map(([, each]) => each) : Object.fromEntries(cut);
}
