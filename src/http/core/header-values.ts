import type { IncomingMessage } from 'node:http';

/** Every value of a header, in order. `headersDistinct` says the same, but gathers all headers for it. */
export function headerValues({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const given = rawHeaders[i] as string;
    if (given.length === name.length && given.toLowerCase() === name)
      values.push(rawHeaders[i + 1] as string);
  }
  return values;
}
