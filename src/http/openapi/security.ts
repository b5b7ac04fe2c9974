import type { Scope } from '../../contract/access.js';
import { apiKeyPrefix } from '../../contract/access.js';
import { loginCookie } from '../auth/cookies.js';
import type { JsonObject } from './schemas.js';

/** How a caller authenticates. Without configured keys no caller has to. */
export const securitySchemes: JsonObject = {
  bearer: { type: 'http', scheme: 'bearer', description: `an API key, \`${apiKeyPrefix}…\`` },
  header: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'the same' },
  login: { type: 'apiKey', in: 'cookie', name: loginCookie, description: 'of a browser that logged in' },
};

/** Any scheme will do, with this scope or one that includes it. */
export function securityOf(scope: Scope | 'open'): JsonObject[] {
  return scope === 'open' ? [] : Object.keys(securitySchemes).map((name) => ({ [name]: [scope] }));
}
