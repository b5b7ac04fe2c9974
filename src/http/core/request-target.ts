import { ApiError } from '../../contract/errors.js';
import { type Issue, invalidRequest } from './issues.js';

/** What a request line asks for. The path is left as it came; the segments that a route names are decoded where it is found. */
export interface Target {
  readonly path: string;
  /** Empty, or with its question mark. */
  readonly search: string;
}

/** Throws `invalid_request` for what is not a path: absolute forms, fragments, control characters. */
export function parseTarget(raw: string): Target {
  const match = /^(\/[!-"$->@-~]*)(\?[!-"$-~]*)?$/.exec(raw);
  if (!match) {
    throw new ApiError('invalid_request', 'the request target must be a path like /api/status', {
      details: { issues: [{ path: '', message: 'not a path with an optional query' }] },
    });
  }
  return { path: match[1] ?? '/', search: match[2] ?? '' };
}

/** The query's parameters by name. Throws `invalid_request` for a repeated one or a broken escape. */
export function parseQuery(search: string): Record<string, string> {
  const found = new Map<string, string>();
  const issues: Issue[] = [];
  for (const pair of search.slice(1).split('&')) {
    if (pair === '') continue;
    const cut = pair.indexOf('=');
    const name = unescapeQuery(cut === -1 ? pair : pair.slice(0, cut));
    const value = unescapeQuery(cut === -1 ? '' : pair.slice(cut + 1));
    if (name === null || value === null)
      issues.push({ path: name ?? '', message: 'broken percent-encoding' });
    else if (found.has(name)) issues.push({ path: name, message: 'given more than once' });
    else found.set(name, value);
  }
  if (issues.length > 0) throw invalidRequest(issues, { beginning: 'the query is not valid: ' });
  return Object.fromEntries(found);
}

function unescapeQuery(text: string): string | null {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return null;
  }
}
