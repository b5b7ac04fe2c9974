/** JSON text of a value of type T, and its bytes, which are made once. */
export class Json<T> {
  declare readonly type: T;
  readonly text: string;
  #bytes: Buffer | null = null;

  constructor(text: string) {
    this.text = text;
  }

  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(this.text);
    return this.#bytes;
  }
}
