import { withQuarantine } from './quarantine.js';
import { rawScript, type Script } from './raw-script.js';

/**
 * A Lua script with a fixed number of keys; every change of more than one key is one of these. Where a key is of another
 * type, it is quarantined and the script runs again. What the script had done before it met that key stays done: Redis does
 * not roll back.
 */
export function luaScript<Result>(name: string, keyCount: number, lua: string): Script<Result> {
  const run = rawScript<Result>(name, keyCount, lua);
  return (redis, keys, args) => withQuarantine(redis, keys, () => run(redis, keys, args));
}
