import type { Scope } from '../../contract/access.js';
import { apiKeyPrefix } from '../../contract/access.js';
import { loginCookie } from '../auth/cookies.js';
import type { JsonObject } from '../core/route-doc.js';

/** How a caller authenticates. Without configured keys, no authentication is needed. */
export const securitySchemes: JsonObject = {
  bearer: { type: 'http', scheme: 'bearer', description: `an API key, \`${apiKeyPrefix}…\`` },
  header: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'an API key, in its own header' },
  login: {
    type: 'apiKey',
    in: 'cookie',
    name: loginCookie,
    description: 'the cookie of a browser that logged in',
  },
};

/** Any of the schemes is enough, with this scope or one that includes it. */
export function securityOf(scope: Scope | 'open'): JsonObject[] {
  return scope === 'open' ? [] : Object.keys(securitySchemes).map((name) => ({ [name]: [scope] }));
}
