import { withQuarantine } from './quarantine.js';
import { rawScript, type Script } from './raw-script.js';

/**
 * A Lua script with a fixed number of keys. Every change of more than one key is such a script. If a key has a wrong type, the
 * key is quarantined and the script runs again. Redis does not undo what the script did before it reached that key.
 */
export function luaScript<Result>(name: string, keyCount: number, lua: string): Script<Result> {
  const run = rawScript<Result>(name, keyCount, lua);
  return (redis, keys, args) => withQuarantine(redis, keys, () => run(redis, keys, args));
}
