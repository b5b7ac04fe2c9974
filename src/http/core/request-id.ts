import { randomUUID } from 'node:crypto';

/** The caller's own id where it is fit to stand in a header and in a log line, else a new one. */
export function requestIdOf(header: string | string[] | undefined): string {
  return typeof header === 'string' && /^[ -~]{1,128}$/.test(header) ? header : randomUUID();
}
