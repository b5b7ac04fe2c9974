import { isSessionName } from '../contract/names.js';

/** The value of `--session`. Throws if it is no name of a session. */
export function givenSession(name: string): string {
  if (isSessionName(name)) return name;
  throw new Error('the name of a session is 1-64 characters of a-z, 0-9 and -');
}
