import { rawScript, type Script } from './raw-script.js';
import { settingAside } from './set-aside.js';

/**
 * A Lua script bound to its number of keys; every change of more than one key in this product is one of these. Where one of
 * its keys is of another type than it is for, that key is set aside, and the script runs again: what it did before it met
 * that key stays done, as Redis leaves it.
 */
export function luaScript<Result>(name: string, keyCount: number, lua: string): Script<Result> {
  const run = rawScript<Result>(name, keyCount, lua);
  return (redis, keys, args) => settingAside(redis, keys, () => run(redis, keys, args));
}
