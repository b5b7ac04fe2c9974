const lineEnd = '\r\n';

/** Types that are followed by that many bytes. */
const texts = ['$', '=', '!'];
/** Types that are followed by that many items, with the number of values of each item. */
const lists: Readonly<Record<string, number>> = { '*': 1, '~': 1, '>': 1, '%': 2 };

/** Splits a stream of Redis' protocol (versions 2 and 3) into whole requests or replies. */
export class RespFrames {
  #pieces: Buffer[] = [];
  #size = 0;
  /** The frame that has begun is not whole with fewer bytes than this. */
  #needed = 1;

  add(piece: Buffer): Buffer[] {
    this.#pieces.push(piece);
    this.#size += piece.length;
    if (this.#size < this.#needed) return [];
    const bytes = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces);
    const frames: Buffer[] = [];
    let from = 0;
    for (;;) {
      const { end, isWhole } = frameEnd(bytes, from);
      if (!isWhole) {
        const rest = bytes.subarray(from);
        this.#pieces = [rest];
        this.#size = rest.length;
        this.#needed = end - from;
        return frames;
      }
      frames.push(bytes.subarray(from, end));
      from = end;
    }
  }
}

interface FrameEnd {
  /** The end of the frame; if it is not whole, its earliest possible end. */
  readonly end: number;
  readonly isWhole: boolean;
}

function frameEnd(bytes: Buffer, from: number): FrameEnd {
  const ofLine = bytes.indexOf(lineEnd, from);
  if (ofLine === -1) return { end: bytes.length + 1, isWhole: false };
  let end = ofLine + lineEnd.length;
  const type = bytes.toString('latin1', from, from + 1);
  if (texts.includes(type)) {
    const length = Number(bytes.toString('latin1', from + 1, ofLine));
    if (length >= 0) end += length + lineEnd.length;
    return { end, isWhole: end <= bytes.length };
  }
  const valuesOfItem = lists[type];
  if (valuesOfItem === undefined) return { end, isWhole: true };
  const count = Number(bytes.toString('latin1', from + 1, ofLine)) * valuesOfItem;
  for (let i = 0; i < count; i++) {
    const item = frameEnd(bytes, end);
    if (!item.isWhole) return item;
    end = item.end;
  }
  return { end, isWhole: true };
}

/** The words of a request: at most `most` of them, each cut to `longest` bytes. */
export function commandWords(request: Buffer, most: number, longest: number): string[] {
  const words: string[] = [];
  let at = request.indexOf(lineEnd) + lineEnd.length;
  while (at < request.length && words.length < most) {
    const ofLength = request.indexOf(lineEnd, at);
    const begin = ofLength + lineEnd.length;
    const length = Number(request.toString('latin1', at + 1, ofLength));
    words.push(request.toString('utf8', begin, begin + Math.min(length, longest)));
    at = begin + length + lineEnd.length;
  }
  return words;
}
