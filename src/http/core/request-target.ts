import { ApiError } from '../../contract/errors.js';
import { type Issue, invalidRequest } from './validation.js';

/** The target of a request line. The path is not decoded; the router decodes path parameters. */
export interface Target {
  readonly path: string;
  /** The query with its question mark, or `''`. */
  readonly search: string;
}

/** Throws `invalid_request` unless the target is a path with an optional query: absolute URLs, fragments and control characters are refused. */
export function parseTarget(raw: string): Target {
  const match = /^(\/[!-"$->@-~]*)(\?[!-"$-~]*)?$/.exec(raw);
  if (!match) {
    throw new ApiError('invalid_request', 'the request target must be a path like /api/status', {
      details: { issues: [{ path: '', message: 'not a path with an optional query' }] },
    });
  }
  return { path: match[1] ?? '/', search: match[2] ?? '' };
}

/** Query parameters by name. Throws `invalid_request` for a repeated name or a broken escape. */
export function parseQuery(search: string): Record<string, string> {
  const parameters = new Map<string, string>();
  const issues: Issue[] = [];
  for (const pair of search.slice(1).split('&')) {
    if (pair === '') continue;
    const cut = pair.indexOf('=');
    const name = decodeQuery(cut === -1 ? pair : pair.slice(0, cut));
    const value = decodeQuery(cut === -1 ? '' : pair.slice(cut + 1));
    if (name === null || value === null)
      issues.push({ path: name ?? '', message: 'broken percent-encoding' });
    else if (parameters.has(name)) issues.push({ path: name, message: 'given more than once' });
    else parameters.set(name, value);
  }
  if (issues.length > 0) throw invalidRequest(issues, { beginning: 'the query is not valid: ' });
  return Object.fromEntries(parameters);
}

function decodeQuery(text: string): string | null {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return null;
  }
}
