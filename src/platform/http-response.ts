import type { ServerResponse } from 'node:http';

export const jsonType = 'application/json; charset=utf-8';

/** Sends a whole response. Adds `content-type` and `content-length` to `headers`. */
export function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
): void {
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  response.writeHead(status, { ...headers, 'content-type': type, 'content-length': length });
  response.end(body);
}
